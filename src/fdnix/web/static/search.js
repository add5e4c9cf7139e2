// Results as one types, keys, and buttons that copy. All of the pages works without.
"use strict";

const box = document.getElementById("q");
const results = document.getElementById("results");
const status = document.getElementById("status");
const WAIT = 90; // milliseconds after a key

let waiting = 0;
let asked = null;

function address(query) {
  return query ? `/?q=${encodeURIComponent(query).replace(/%20/g, "+")}` : "/";
}

function copyButtons(root) {
  for (const text of root.querySelectorAll("pre")) {
    const around = document.createElement("div");
    const button = document.createElement("button");
    around.className = "copied";
    button.type = "button";
    button.textContent = "Copy";
    text.replaceWith(around);
    around.append(text, button);
  }
}

async function show(query) {
  asked?.abort();
  const mine = (asked = new AbortController());
  results.classList.add("busy");
  try {
    const response = await fetch(address(query).replace("/", "/results"), { signal: mine.signal });
    if (!response.ok) throw new Error(response.statusText);
    const text = await response.text();
    if (mine.signal.aborted) return;
    const open = results.querySelector(".refine")?.open;
    results.innerHTML = text;
    if (open && results.querySelector(".refine")) results.querySelector(".refine").open = true;
    copyButtons(results);
    document.body.className = query ? "inner" : "home";
    document.title = query ? `${query} · nixpkgs search` : "fdnix: search nixpkgs";
    history.replaceState(null, "", address(query));
    status.textContent = results.querySelector(".count")?.textContent ?? "";
    scrollTo(0, 0);
  } catch (error) {
    // The form still works, and says what is wrong.
    if (error.name !== "AbortError") status.textContent = "No answer just now";
  } finally {
    if (asked === mine) results.classList.remove("busy");
  }
}

const trimmed = () => box.value.trim().replace(/\s+/g, " ");

if (results) {
  let shown = trimmed();
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (trimmed() === shown) return;
      shown = trimmed();
      show(shown);
    }, WAIT);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const typing = /^(?:INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !typing) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const links = [...document.querySelectorAll(".hit h2 a")];
    const at = links.indexOf(document.activeElement);
    if (!links.length || (at < 0 && document.activeElement !== box)) return;
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next < 0) box.focus();
    else links[Math.min(next, links.length - 1)].focus();
  } else if (event.key === "Escape" && document.activeElement !== box) {
    box.focus();
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copied button");
  if (!button) return;
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

copyButtons(document);
