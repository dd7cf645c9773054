// What pages do beyond their links and forms: show what is live, and say times as they go by.
// They work without it. Nothing from outside becomes HTML here: parts come from our templates.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const main = document.querySelector("main");
const MOST_LINES = 2000;

// --- times --------------------------------------------------------------------------------

function ago(seconds) {
  const later = seconds < 0, size = Math.abs(seconds);
  if (size < 5) return "just now";
  const [number, unit] = size < 60 ? [size, "s"] : size < 3600 ? [size / 60, "min"]
    : size < 172800 ? [size / 3600, "h"] : [size / 86400, "d"];
  const said = `${Math.floor(number)} ${unit}`;
  return later ? `in ${said}` : `${said} ago`;
}

function took(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

function tell(within = document) {
  const now = Date.now() / 1000;
  for (const time of all("time[data-ago]", within)) time.textContent = ago(now - Date.parse(time.dateTime) / 1000);
  for (const one of all("[data-since]", within)) one.textContent = took(Math.max(0, now - Number(one.dataset.since)));
}

// --- what is live -------------------------------------------------------------------------

// Put a part of the page in place of what was there, and leave open and focused what was.
function place(old, html, digest) {
  if (old.dataset.digest === digest) return;
  const open = all("details[open][id]", old).map((one) => one.id);
  const focus = old.contains(document.activeElement) && document.activeElement.closest("[id]");
  old.innerHTML = html;
  old.dataset.digest = digest;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus && focus !== old) document.getElementById(focus.id)?.querySelector("summary, button, a")?.focus();
  tell(old);
}

function append(card, first, lines) {
  const log = card.querySelector(".log");
  const next = Number(card.dataset.next);
  const below = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  lines.forEach((line, index) => {
    const number = first + index;
    if (number < next) return;
    const row = document.createElement("span");
    row.dataset.n = number + 1;
    row.textContent = `${line}\n`;
    log.append(row);
  });
  card.dataset.next = Math.max(next, first + lines.length);
  while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
  const said = Number(card.dataset.next);
  card.querySelector("[data-log-count]").textContent = said ? `${said.toLocaleString("en")} line${said === 1 ? "" : "s"}` : "";
  card.hidden = !log.childElementCount;
  if (below) log.scrollTop = log.scrollHeight;
}

function connection(words, on) {
  for (const one of all("[data-connection]")) {
    one.hidden = !words;
    one.textContent = words;
    one.classList.toggle("on", on);
  }
}

function live(url) {
  const source = new EventSource(url);
  let ended = false;
  source.addEventListener("open", () => connection("live", true));
  source.addEventListener("part", (event) => {
    const { id, html, digest } = JSON.parse(event.data);
    const old = document.getElementById(id);
    if (old) place(old, html, digest);
  });
  source.addEventListener("lines", (event) => {
    const { index, first, lines } = JSON.parse(event.data);
    const card = document.querySelector(`[data-log="${Number(index)}"]`);
    if (card) append(card, first, lines);
  });
  source.addEventListener("end", () => {
    ended = true;
    source.close();
    connection("", false);
  });
  source.addEventListener("error", () => {
    if (ended) return;
    connection("connecting again …", false);
    if (source.readyState === EventSource.CLOSED) setTimeout(live, 5000, url);
  });
}

// A page of lists is asked for again when something changed, at most every two seconds.
function changes(url) {
  const source = new EventSource(url);
  let waits = null, last = Date.now();
  source.addEventListener("changed", (event) => {
    if (JSON.parse(event.data).digest === main.dataset.digest) return;
    waits ??= setTimeout(async () => {
      waits = null;
      last = Date.now();
      await again(location.href);
    }, Math.max(0, last + 2000 - Date.now()));
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(changes, 5000, url);
  });
}

async function again(address) {
  const reply = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!reply?.ok) return false;
  const found = new DOMParser().parseFromString(await reply.text(), "text/html");
  for (const part of all("[data-part]")) {
    const fresh = found.getElementById(part.id);
    if (fresh) place(part, fresh.innerHTML, fresh.dataset.digest);
  }
  main.dataset.digest = found.querySelector("main").dataset.digest ?? "";
  return true;
}

// --- forms and keys -----------------------------------------------------------------------

function filters(form) {
  let waits = null;
  const ask = async () => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const address = `${form.getAttribute("action")}?${query}`;
    if (await again(address)) history.replaceState(null, "", address);
  };
  form.addEventListener("input", (event) => {
    clearTimeout(waits);
    waits = setTimeout(ask, event.target.matches("select") ? 0 : 250);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waits);
    ask();
  });
}

function copying(button) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.querySelector("span").textContent = "copied";
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const one of all("details.ask[open]")) {
    one.open = false;
    one.querySelector("summary").focus();
  }
  const writing = event.target.closest?.("input, select, textarea");
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.querySelector("#text, #search")?.focus();
});

document.addEventListener("click", (event) => {
  for (const one of all("details.ask[open]")) if (!one.contains(event.target)) one.open = false;
});

all("form[data-filters]").forEach(filters);
all("button[data-copy]").forEach(copying);
all("select[data-submit]").forEach((one) => one.addEventListener("change", () => one.form.requestSubmit()));
for (const card of all("[data-log]")) append(card, 0, []);
for (const log of all(".log")) log.scrollTop = log.scrollHeight;
tell();
setInterval(tell, 1000);
if (main.dataset.live) live(main.dataset.live);
if (main.dataset.changes) changes(main.dataset.changes);
