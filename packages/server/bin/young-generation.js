// Bounds V8's young generation. Plain ES2020 as launch.js.
//
// Unbounded it doubles up to 128 MiB, whenever more has survived than it holds, thus on every server that runs long enough; it
// also decides how many read buffers of sockets wait, outside the heap, to be collected with it. `--max-semi-space-size` is only
// heard at the start of a process, and starting a second process for it would double the start time. The growth factor is
// looked at each time the young generation might grow, so it is taken away while it is large enough. It shrinks when nothing
// happens for a while: then it may grow again.
import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';

/** Both halves together; what `--max-semi-space-size=16` allows. It is reached by doubling, so growth ends above half of it. */
export const YOUNG_BYTES_MAX = 32 * 1024 * 1024;
const GROWING = 2;
const STAYING = 1;

/** Bytes of both halves of the young generation. */
export function youngBytes() {
  const space = v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return space === undefined ? 0 : space.space_size;
}

/** Whoever gave Node.js a size has chosen. */
function isChosen() {
  return [...process.execArgv, process.env.NODE_OPTIONS || ''].some((text) => /--(min|max)[-_]semi[-_]space[-_]size/.test(text));
}

/** Holds the young generation of this process at {@link YOUNG_BYTES_MAX}. It looks after collections only: idle, it costs nothing. */
export function limitYoungGeneration() {
  if (isChosen()) return;
  let factor = GROWING;
  const observer = new PerformanceObserver(() => {
    const wanted = youngBytes() * GROWING > YOUNG_BYTES_MAX ? STAYING : GROWING;
    if (wanted === factor) return;
    factor = wanted;
    v8.setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}
