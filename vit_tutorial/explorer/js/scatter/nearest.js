// Which point is meant: by a pointer, or by an arrow key. Points are [x, y].

/** The index of the point nearest to `place`, among those that `allowed(index)` lets
 *  through and no farther than `reach`; null where there is none. */
export function nearest(points, place, allowed, reach = Infinity) {
  let best = null;
  let least = reach;
  points.forEach((point, at) => {
    const distance = Math.hypot(point[0] - place[0], point[1] - place[1]);
    if (distance > least || (best !== null && distance === least)) return;
    if (!allowed(at)) return;
    best = at;
    least = distance;
  });
  return best;
}

/** The nearest point from point `from` in the quarter of the plane around a direction
 *  [x, y], along one axis; null where none lies there. */
export function towards(points, from, [right, up], allowed) {
  const start = points[from];
  const ahead = (at) => {
    const [x, y] = [points[at][0] - start[0], points[at][1] - start[1]];
    const along = x * right + y * up;
    return along > 0 && along >= Math.abs(x * up) + Math.abs(y * right);
  };
  return nearest(points, start, (at) => allowed(at) && ahead(at));
}
