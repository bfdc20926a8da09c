"use strict";
// Models are already in the page: this hides, shows and reorders them, and writes nothing that came from a card.
const list = document.querySelector("#models");
const models = Array.from(list.children);
const search = document.querySelector("#search");
const sorting = document.querySelector("#sort");
const filters = Array.from(document.querySelectorAll("[data-filter]"));
const said = new Map(models.map((model) => [model, model.textContent.toLowerCase()]));
const orders = {
  name: (one, other) => text(one.dataset.name, other.dataset.name),
  updated: (one, other) => text(other.dataset.updated, one.dataset.updated),
  parameters: (one, other) => size(one) - size(other) || text(one.dataset.name, other.dataset.name),
};

function text(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

function size(model) {
  return model.dataset.parameters === "" ? Number.MAX_VALUE : Number(model.dataset.parameters);
}

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const model of models) {
    const kept = words.every((word) => said.get(model).includes(word)) && filters.every((filter) =>
      !filter.value || model.getAttribute("data-has-" + filter.dataset.filter).split("\n").includes(filter.value));
    model.hidden = !kept;
    count += kept;
  }
  const order = orders[sorting.value];
  (order ? [...models].sort(order) : models).forEach((model) => list.append(model));
  document.querySelector("#count").textContent = count + " of " + models.length + (models.length === 1 ? " model" : " models");
}

document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", show);
sorting.addEventListener("change", show);
filters.forEach((filter) => filter.addEventListener("change", show));
document.querySelector("form").hidden = false;
show();
