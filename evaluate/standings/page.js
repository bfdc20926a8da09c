"use strict";
// Rows are already in the page: this hides, shows and reorders them, and writes nothing that came from a file.
const body = document.querySelector("#standings tbody");
const rows = Array.from(body.rows);
const search = document.querySelector("#search");
const filters = Array.from(document.querySelectorAll("[data-filter]"));
const sorting = document.querySelector("#sort");
const heads = Array.from(document.querySelectorAll("[data-sort]"));
const said = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
let order = { key: sorting.value, up: false };

function value(row, key) {
  if (key === "name" || key === "created") return row.dataset[key].toLowerCase();
  const found = key === "size" ? row.dataset.parameters : row.getAttribute("data-score-" + key);
  return found === null || found === "" ? null : Number(found);
}

function compare(one, other) {
  const a = value(one, order.key), b = value(other, order.key);
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = a < b ? -1 : a > b ? 1 : 0;
  return order.up ? sign : -sign;
}

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const kept = words.every((word) => said.get(row).includes(word)) &&
      filters.every((filter) => !filter.value || row.getAttribute("data-" + filter.dataset.filter) === filter.value);
    row.hidden = !kept;
    count += kept;
  }
  rows.sort(compare).forEach((row) => body.append(row));
  heads.forEach((head) => head.parentNode.setAttribute("aria-sort",
    head.dataset.sort !== order.key ? "none" : order.up ? "ascending" : "descending"));
  document.querySelector("#count").textContent = count + " of " + rows.length + (rows.length === 1 ? " line" : " lines");
}

function sortBy(key, up) {
  order = { key, up };
  sorting.value = key;
  show();
}

document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", show);
filters.forEach((filter) => filter.addEventListener("change", show));
sorting.addEventListener("change", () => sortBy(sorting.value, sorting.value === "name"));
heads.forEach((head) => head.addEventListener("click", () => {
  const key = head.dataset.sort;
  sortBy(key, order.key === key ? !order.up : key === "name");
}));
sortBy(order.key, order.key === "name");
