// Where the boxes of a graph lie: in layers from left to right, each after what it comes from, with few crossings and
// short edges. Knows boxes and edges and nothing of what they stand for.

const GAP_X = 64;
const GAP_Y = 14;
const WAYPOINT = 8;
const SWEEPS = 12;

// `boxes` are {id, width, height}, `edges` pairs of ids, each from an earlier box to a later one in the order of `boxes`.
// Gives each box its x and y, each edge its points, and the size of all.
export function layout(boxes, edges) {
  const layers = inLayers(boxes, edges);
  const { columns, chains } = withWaypoints(boxes, edges, layers);
  const links = neighboursOf(chains);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) sortColumns(columns, links, sweep % 2 === 0);
  placeVertically(columns, links);
  placeHorizontally(columns);
  return { edges: chains.map(pointsOf), ...extent(boxes) };
}

// The layer of each box: one past that of the last box that leads to it; a box that nothing leads to stands beside what it leads to.
function inLayers(boxes, edges) {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const order = new Map(boxes.map((box, index) => [box.id, index]));
  const [into, outOf] = [new Map(), new Map()];
  for (const [from, to] of edges) {
    into.set(to, [...(into.get(to) || []), from]);
    outOf.set(from, [...(outOf.get(from) || []), to]);
  }
  const layer = new Map();
  for (const box of boxes)
    layer.set(box.id, Math.max(-1, ...(into.get(box.id) || []).map((from) => layer.get(from))) + 1);
  const last = [...boxes].sort((a, b) => order.get(b.id) - order.get(a.id));
  for (const box of last) {
    const next = (outOf.get(box.id) || []).map((to) => layer.get(to));
    const isFree = !into.has(box.id) || (outOf.get(box.id) || []).length > into.get(box.id).length;
    if (next.length > 0 && isFree) layer.set(box.id, Math.min(...next) - 1);
  }
  const first = Math.min(...layer.values());
  for (const id of layer.keys()) byId.get(id).layer = layer.get(id) - first;
  return Math.max(...boxes.map((box) => box.layer)) + 1;
}

// An edge over several layers passes a waypoint in each of those between.
function withWaypoints(boxes, edges, layers) {
  const columns = Array.from({ length: layers }, () => []);
  for (const box of boxes) columns[box.layer].push(box);
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const chains = edges.map(([from, to]) => {
    const chain = [byId.get(from)];
    for (let layer = byId.get(from).layer + 1; layer < byId.get(to).layer; layer += 1) {
      const waypoint = { layer, width: 0, height: WAYPOINT, isWaypoint: true };
      columns[layer].push(waypoint);
      chain.push(waypoint);
    }
    return [...chain, byId.get(to)];
  });
  return { columns, chains };
}

function neighboursOf(chains) {
  const links = new Map();
  const add = (box, side, other) => {
    if (!links.has(box)) links.set(box, { before: [], after: [] });
    links.get(box)[side].push(other);
  };
  for (const chain of chains) {
    for (let at = 1; at < chain.length; at += 1) {
      add(chain[at], "before", chain[at - 1]);
      add(chain[at - 1], "after", chain[at]);
    }
  }
  return links;
}

// One sweep: each box moves to the middle of its neighbours in the layer that was sorted before.
function sortColumns(columns, links, isForward) {
  for (const column of columns)
    column.forEach((box, rank) => {
      box.rank = rank;
    });
  for (const column of isForward ? columns : [...columns].reverse()) {
    const middle = new Map();
    column.forEach((box) => {
      const others = links.get(box) ? links.get(box)[isForward ? "before" : "after"] : [];
      middle.set(
        box,
        others.length > 0
          ? others.reduce((sum, other) => sum + relativeRank(other, columns), 0) / others.length
          : relativeRank(box, columns),
      );
    });
    column.sort((a, b) => middle.get(a) - middle.get(b) || a.rank - b.rank);
    column.forEach((box, rank) => {
      box.rank = rank;
    });
  }
}

const relativeRank = (box, columns) => (box.rank + 0.5) / columns[box.layer].length;

// Boxes are drawn to the middle of their neighbours, in the order that they have, without touching one another.
function placeVertically(columns, links) {
  for (const column of columns) {
    let y = 0;
    for (const box of column) {
      box.y = y;
      y += box.height + GAP_Y;
    }
    for (const box of column) box.y -= y / 2;
  }
  const centre = (box) => box.y + box.height / 2;
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const wanted = column.map((box) => {
        const { before = [], after = [] } = links.get(box) || {};
        const others = [...before, ...after];
        return others.length > 0
          ? others.reduce((sum, other) => sum + centre(other), 0) / others.length - box.height / 2
          : box.y;
      });
      spread(column, wanted);
    }
  }
}

// Gives boxes their wanted places as nearly as their order and sizes allow: those that would touch move as one block.
function spread(column, wanted) {
  const blocks = [];
  column.forEach((box, index) => {
    let block = { boxes: [box], wanted: [wanted[index]], offsets: [0], height: box.height };
    block.y = wanted[index];
    while (blocks.length > 0 && blocks[blocks.length - 1].y + blocks[blocks.length - 1].height + GAP_Y > block.y) {
      const before = blocks.pop();
      const shift = before.height + GAP_Y;
      before.boxes.push(...block.boxes);
      before.wanted.push(...block.wanted);
      before.offsets.push(...block.offsets.map((offset) => offset + shift));
      before.height = shift + block.height;
      before.y = before.wanted.reduce((sum, one, at) => sum + one - before.offsets[at], 0) / before.wanted.length;
      block = before;
    }
    blocks.push(block);
  });
  for (const block of blocks)
    block.boxes.forEach((box, at) => {
      box.y = block.y + block.offsets[at];
    });
}

function placeHorizontally(columns) {
  let x = 0;
  for (const column of columns) {
    const width = Math.max(0, ...column.map((box) => box.width));
    for (const box of column) {
      box.x = x;
      if (box.isWaypoint) box.width = width;
      else if (box.alignsRight) box.x = x + width - box.width;
    }
    x += width + GAP_X;
  }
}

// An edge leaves a box at its right side and comes in at the left.
function pointsOf(chain) {
  const points = [];
  chain.forEach((box, at) => {
    const y = box.y + box.height / 2;
    if (at > 0) points.push([box.x, y]);
    if (at < chain.length - 1) points.push([box.x + box.width, y]);
  });
  return { from: chain[0], to: chain[chain.length - 1], points };
}

function extent(boxes) {
  const [left, top] = [Math.min(...boxes.map((box) => box.x)), Math.min(...boxes.map((box) => box.y))];
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { left, top, width: right - left, height: bottom - top };
}

// A smooth line through points that lie from left to right.
export function curve(points) {
  let path = `M${points[0].map(Math.round)}`;
  for (let at = 1; at < points.length; at += 1) {
    const [[fromX, fromY], [toX, toY]] = [points[at - 1], points[at]];
    const middle = (fromX + toX) / 2;
    path +=
      at % 2 === 1
        ? `C${Math.round(middle)},${Math.round(fromY)} ${Math.round(middle)},${Math.round(toY)} ${Math.round(toX)},${Math.round(toY)}`
        : `L${Math.round(toX)},${Math.round(toY)}`;
  }
  return path;
}
