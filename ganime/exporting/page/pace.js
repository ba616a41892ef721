// Where a walk is at which time, so that all its steps look about as large as each other (see ganime/generation/walks.py).

export const WAYPOINTS = 8; // of each leg
const POWER = 1.5; // two faces a long way apart look more alike than the way between them is long

/** The root mean square difference of two pictures. */
export function difference(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}

/**
 * A function of a time, 0 to 1, that gives the place in a closed loop, 0 to 1.
 *
 * Between waypoints at equal places the way that has been covered grows monotonously and smoothly (cubic, with the slopes of
 * Fritsch and Butland 1984). `distances` are those of each waypoint's picture to the next.
 */
export function pace(distances) {
  const lengths = distances.map((distance) => distance ** POWER + 1e-6);
  const count = lengths.length;
  const slopes = lengths.map((length, i) => {
    const before = lengths.at(i - 1);
    return (2 * length * before) / (length + before);
  });
  const ends = [];
  lengths.reduce((sum, length, i) => (ends[i] = sum + length), 0);
  return (time) => {
    const way = Math.min(time, 1) * ends[count - 1];
    const i = ends.findIndex((end) => way <= end);
    const [length, first, last] = [lengths[i], slopes[i], slopes[(i + 1) % count]];
    const rest = way - (ends[i] - length);
    let [low, high] = [0, 1];
    for (let step = 0; step < 20; step++) {
      const x = (low + high) / 2;
      const covered = length * (3 - 2 * x) * x * x + (first * (1 - x) - last * x) * x * (1 - x);
      if (covered < rest) low = x;
      else high = x;
    }
    return (i + high) / count;
  };
}
