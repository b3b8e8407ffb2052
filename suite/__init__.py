"""logitbench: are sigmoid, softmax, the cross-entropies and their gradients right, how fast are they, did they get worse?"""
