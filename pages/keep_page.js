// Two buttons: print the page that is shown, or save it as one HTML file without any script.

const REMOVED = [
  "script", "iframe", "link", "noscript", "style", "button", "[role=tooltip]", "[hidden]",
  "input[type=file]", "[data-testid=stFileUploader]", "[data-testid=stDownloadButton]",
  "[data-testid=stButton]", "[data-testid=stPageLink]", "[data-testid=stFormSubmitButton]",
  "[data-testid=stIconMaterial]", "[data-testid=stElementToolbar]", "[data-testid=stPopover]",
  "[data-testid=stSpinner]", ".modebar-container", "details:not([open])", "[data-icon]",
].join(",");
const LAYOUT = `
  body { margin: 0; }
  main, .page, .page * { overflow: visible; }
  [data-testid=stMain], [data-testid=stMainBlockContainer] { position: static; height: auto;
    display: block; max-width: 70rem; margin: 0 auto; padding-top: 1rem; }
  .kept { border-collapse: collapse; width: 100%; font-size: 0.85rem; }
  .kept th, .kept td { border: 1px solid rgba(123,134,141,0.45); padding: 0.25rem 0.5rem;
    text-align: left; }
  .kept td.n { text-align: right; font-variant-numeric: tabular-nums; }
  .source { max-width: 70rem; margin: 1rem auto 0; padding: 0 1rem; font-size: 0.8rem; }
`;

// Streamlit draws tables on a canvas, with the visible rows as a grid for screen readers beside.
function table(grid) {
  const made = document.createElement("table");
  made.className = "kept";
  const rows = [...grid.querySelectorAll("[role=row]")];
  for (const row of rows) {
    const line = made.insertRow();
    for (const cell of row.querySelectorAll("[role=columnheader],[role=gridcell]")) {
      const head = cell.getAttribute("role") === "columnheader";
      const place = document.createElement(head ? "th" : "td");
      place.textContent = cell.textContent;
      if (/^[\s\u2212+-]*[\d.,\u2019\u202f\u00a0]+%?$/.test(cell.textContent)) place.className = "n";
      line.append(place);
    }
  }
  const all = Number(grid.getAttribute("aria-rowcount"));
  if (all > rows.length) {
    made.createCaption().textContent = `The first ${rows.length - 1} of ${all - 1} rows.`;
  }
  return made;
}

function styles() {
  const rules = [];
  for (const sheet of document.styleSheets) {
    try {
      for (const rule of sheet.cssRules) {
        if (!(rule instanceof CSSFontFaceRule) && !(rule instanceof CSSImportRule)) {
          rules.push(rule.cssText);
        }
      }
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // another origin's sheet can't be read
    }
  }
  return rules.join("\n");
}

function page() {
  const shown = document.querySelector("[data-testid=stMain]");
  const copy = shown.cloneNode(true);
  const parts = shown.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((part, i) => { // an icon is a word in a font of pictures
    if (getComputedStyle(parts[i]).fontFamily.includes("Material")) part.dataset.icon = "";
  });
  const grids = shown.querySelectorAll("[data-testid=stDataFrame]");
  copy.querySelectorAll("[data-testid=stDataFrame]").forEach((frame, i) => {
    const grid = grids[i].querySelector("table[role=grid]");
    frame.replaceWith(grid ? table(grid) : "");
  });
  const typed = shown.querySelectorAll("input, textarea");
  copy.querySelectorAll("input, textarea").forEach((input, i) => {
    const said = document.createElement("span");
    const ticked = ["checkbox", "radio"].includes(typed[i].type);
    said.textContent = ticked ? (typed[i].checked ? "\u2713 " : "") : typed[i].value;
    input.replaceWith(said);
  });
  copy.querySelectorAll(REMOVED).forEach((e) => e.remove());
  for (const element of copy.querySelectorAll("*")) {
    for (const { name } of [...element.attributes]) {
      if (name.startsWith("on")) element.removeAttribute(name);
    }
    if (element.tagName === "A") element.removeAttribute("href");
  }
  return copy;
}

function save() {
  const made = document.implementation.createHTMLDocument(document.title);
  made.documentElement.lang = "en";
  const policy = made.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  const charset = made.createElement("meta");
  charset.setAttribute("charset", "utf-8");
  const css = made.createElement("style");
  const app = getComputedStyle(document.querySelector("[data-testid=stApp]"));
  css.textContent = `${styles()}\nbody { background: ${app.backgroundColor}; color: ${app.color}; ` +
    `font-family: ${app.fontFamily}; }\n${LAYOUT}`;
  made.head.prepend(charset, policy);
  made.head.append(css);
  const source = made.createElement("p");
  source.className = "source";
  const asked = new URLSearchParams(window.location.search);
  source.textContent = ["finrec", asked.get("data"), asked.get("model"),
    `saved ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`]
    .filter(Boolean).join(" \u00b7 ");
  const holder = made.createElement("div");
  holder.className = "page";
  holder.append(made.importNode(page(), true));
  made.body.append(source, holder);
  const file = new Blob(["<!doctype html>\n", made.documentElement.outerHTML],
    { type: "text/html" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  const title = document.querySelector("h1")?.textContent.trim().toLowerCase() || "page";
  link.download = `finrec-${title.replace(/[^a-z0-9]+/g, "-")}.html`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Streamlit draws late what is slow: charts, tables, whatever a busy server has not sent yet.
function complete() {
  const app = document.querySelector("[data-testid=stApp]");
  const main = document.querySelector("[data-testid=stMain]");
  const seen = (part) => !part.closest("details:not([open])") && part.getClientRects().length > 0;
  const drawn = (outer, inner) => [...main.querySelectorAll(outer)]
    .every((part) => !seen(part) || part.querySelector(inner));
  return app.dataset.testScriptState === "notRunning"
    && ![...main.querySelectorAll("[data-stale=true], [data-testid=stSkeleton]")].some(seen)
    && drawn("[data-testid=stDataFrame]", "table[role=grid] [role=row]")
    && drawn("[data-testid=stPlotlyChart]", ".main-svg");
}

const PATIENCE = 30000; // milliseconds
const LOOK = 100;

function whenComplete(button, act) {
  const words = button.dataset.words ?? button.textContent;
  button.dataset.words = words;
  const until = Date.now() + PATIENCE;
  let calm = 0; // looks in a row that found the page complete
  const look = () => {
    calm = complete() ? calm + 1 : 0;
    if (calm < 2 && Date.now() < until) {
      button.textContent = "Waiting for the page \u2026";
      button.disabled = true;
      setTimeout(look, LOOK);
      return;
    }
    button.disabled = false;
    button.textContent = calm < 2 ? "Not drawn yet: try again" : words;
    if (calm >= 2) act();
  };
  look();
}

const DONE = { print: () => window.print(), save };

export default function ({ parentElement }) {
  for (const button of parentElement.querySelectorAll("[data-do]")) {
    button.onclick = () => whenComplete(button, DONE[button.dataset.do]);
  }
}
