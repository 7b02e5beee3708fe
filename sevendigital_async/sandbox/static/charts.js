"use strict";
// Bar charts as inline SVG. A chart is made once; drawing it again only changes attributes and text.

const HEIGHT = 144, TOP = 16, BOTTOM = 18;

const find = (id) => document.getElementById(id);

function svg(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

// The smallest of 1, 2, 5, 10, 20, 50, ... that is not below the value: the top of the axis.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value);
}

// series: [{name, label}], from the bottom of the stack to its top; name is the CSS class.
function makeChart(id, heading, series, parent) {
  const picture = svg("svg", {role: "img", "aria-labelledby": `${id}-heading`, "aria-describedby": `${id}-summary`});
  const bars = Object.fromEntries(series.map(({name}) => [name, picture.appendChild(svg("path", {class: name}))]));
  const axis = picture.appendChild(svg("line", {class: "axis"}));
  const limit = picture.appendChild(svg("line", {class: "limit"}));
  const top = picture.appendChild(svg("text", {x: 0, y: 11}));
  const limitLabel = picture.appendChild(svg("text", {class: "limit-label", "text-anchor": "end"}));
  const labels = picture.appendChild(svg("g"));
  const summary = html("p", {id: `${id}-summary`});
  const title = html("h3", {id: `${id}-heading`}, heading);
  const figure = html("figure", {class: "chart"}, html("figcaption", {}, title, summary), picture);
  if (series.length > 1) {
    const swatch = (name) => {
      const image = svg("svg", {viewBox: "0 0 1 1", "aria-hidden": "true"});
      image.append(svg("rect", {width: 1, height: 1, class: name}));
      return image;
    };
    const items = series.map(({name, label}) => html("li", {}, swatch(name), label));
    figure.append(html("ul", {class: "legend"}, ...items));
  }
  parent.append(figure);
  return {picture, bars, axis, limit, top, limitLabel, labels, summary};
}

// columns: [{series name: value}]; marks: [[column, text]]; limit: a value to draw a line at, or null.
function drawChart(chart, {columns, marks, summary, limit = null, gap = 0}) {
  const width = chart.picture.clientWidth || 320, floor = HEIGHT - BOTTOM, step = width / columns.length;
  const highest = Math.max(...columns.map((column) => Object.values(column).reduce((sum, value) => sum + value, 0)));
  const scale = roundUp(Math.max(highest, limit ?? 0)), y = (value) => floor - (value / scale) * (floor - TOP);
  const paths = Object.fromEntries(Object.keys(chart.bars).map((name) => [name, ""]));
  columns.forEach((column, index) => {
    let sum = 0;
    for (const name of Object.keys(chart.bars)) {
      const value = column[name] ?? 0;
      if (!value) continue;
      const left = (index * step + gap / 2).toFixed(1), bar = Math.max(step - gap, 1).toFixed(1);
      paths[name] += `M${left} ${y(sum).toFixed(1)}h${bar}V${y(sum + value).toFixed(1)}h-${bar}z`;
      sum += value;
    }
  });
  for (const [name, path] of Object.entries(paths)) chart.bars[name].setAttribute("d", path);
  place(chart.axis, {x1: 0, x2: width, y1: floor, y2: floor});
  setText(chart.top, scale.toLocaleString("en"));
  place(chart.limit, limit === null ? {visibility: "hidden"} : {x1: 0, x2: width, y1: y(limit), y2: y(limit)});
  setText(chart.limitLabel, limit === null ? "" : `limit ${limit}`);
  place(chart.limitLabel, {x: width, y: y(limit ?? 0) - 4});
  while (chart.labels.childElementCount < marks.length) chart.labels.append(svg("text"));
  let free = Infinity; // where the label to the right begins; one that does not fit beside it is hidden
  for (const [index, [column, text]] of [...marks.entries()].reverse()) {
    const anchor = index === 0 ? "start" : index === marks.length - 1 ? "end" : "middle";
    const share = {start: 0, middle: 0.5, end: 1}[anchor], x = (column + share) * step, size = text.length * 7;
    const fits = x + (1 - share) * size <= free;
    if (fits) free = x - share * size;
    setText(chart.labels.children[index], text);
    place(chart.labels.children[index],
      {x: x.toFixed(1), y: HEIGHT - 4, "text-anchor": anchor, visibility: fits ? "visible" : "hidden"});
  }
  setText(chart.summary, summary);
}

function place(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
}
