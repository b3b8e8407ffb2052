// Turns the pages of the single file: the address' ?page= says which is shown, and another page is the same file loaded anew.
"use strict";
(async () => {
  const { pages, sources } = JSON.parse(document.getElementById("report").textContent);

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  async function run(name) {
    const script = document.createElement("script");
    script.textContent = await unpack(sources[name]);
    document.head.append(script);
  }

  const others = location.search.slice(1).split("&").filter((part) => part && !part.startsWith("page="));
  const asked = new URLSearchParams(location.search).get("page");
  const page = pages[Object.hasOwn(pages, asked) ? asked : "index.html"];
  document.title = page.title;
  document.body.innerHTML = await unpack(page.body);
  // What else the address asks for, such as a signature, has to stay in it.
  if (others.length) for (const link of document.querySelectorAll('a[href^="?page="]')) link.href = `?${[...others, link.getAttribute("href").slice(1)].join("&")}`;
  globalThis.Single = { run };
  for (const name of page.scripts) await run(name);
  if (location.hash) location.replace(location.hash);
  document.documentElement.dataset.ready = "";
})().catch((error) => {
  const told = document.createElement("p");
  told.textContent = `This browser cannot open the pages of this file: ${error}`;
  document.body.prepend(told);
  throw error;
});
