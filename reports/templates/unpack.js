// Plotly, compressed to a third of its size, and unpacked at once (RFC 1951), since the scripts behind this one need it.
"use strict";
((packed, size) => {
  const source = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0)), out = new Uint8Array(size);
  let at = 0, bits = 0, held = 0, end = 0;

  function take(count) {
    while (held < count) {
      bits |= source[at++] << held;
      held += 8;
    }
    const value = bits & ((1 << count) - 1);
    bits >>>= count;
    held -= count;
    return value;
  }

  // A code by its symbols' lengths: how many symbols have each length, and the symbols in the order of their codes.
  function code(lengths) {
    const counts = new Uint16Array(16), offsets = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
    for (const length of lengths) if (length) counts[length] += 1;
    for (let i = 1; i < 16; i++) offsets[i] = offsets[i - 1] + counts[i - 1];
    lengths.forEach((length, symbol) => { if (length) symbols[offsets[length]++] = symbol; });
    return { counts, symbols };
  }
  function read({ counts, symbols }) {
    for (let length = 1, value = 0, first = 0, index = 0; ; length++) {
      value |= take(1);
      if (value - counts[length] < first) return symbols[index + value - first];
      index += counts[length];
      first = (first + counts[length]) << 1;
      value <<= 1;
    }
  }

  // Lengths and distances of what is repeated: the least of each symbol, and how many bits are added.
  function steps(least, extra) {
    return extra.map((count, i) => [extra.slice(0, i).reduce((sum, each) => sum + 2 ** each, least), count]);
  }
  const LENGTHS = steps(3, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5]).concat([[258, 0]]);
  const DISTANCES = steps(1, [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13]);
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const FIXED = [...Array(288)].map((_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));

  function codes() {
    const literals = take(5) + 257, distances = take(5) + 1, count = take(4) + 4, own = new Array(19).fill(0), lengths = [];
    for (let i = 0; i < count; i++) own[ORDER[i]] = take(3);
    const inner = code(own);
    while (lengths.length < literals + distances) {
      const symbol = read(inner);
      if (symbol < 16) lengths.push(symbol);
      else if (symbol === 16) lengths.push(...new Array(3 + take(2)).fill(lengths.at(-1)));
      else lengths.push(...new Array(symbol === 17 ? 3 + take(3) : 11 + take(7)).fill(0));
    }
    return [code(lengths.slice(0, literals)), code(lengths.slice(literals))];
  }

  for (let last = 0; !last; ) {
    last = take(1);
    const type = take(2);
    if (type === 0) {
      const length = source[at] | (source[at + 1] << 8);
      out.set(source.subarray(at + 4, at + 4 + length), end);
      at += 4 + length;
      end += length;
      bits = held = 0;
      continue;
    }
    const [literal, far] = type === 2 ? codes() : [code(FIXED), code(new Array(30).fill(5))];
    for (let symbol = read(literal); symbol !== 256; symbol = read(literal)) {
      if (symbol < 256) {
        out[end++] = symbol;
        continue;
      }
      const [least, more] = LENGTHS[symbol - 257], length = least + take(more);
      const [near, bitsMore] = DISTANCES[read(far)], back = near + take(bitsMore);
      for (let i = 0; i < length; i++, end++) out[end] = out[end - back];
    }
  }
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(out);
  document.head.append(script);
})
