// Sizes V8's two generations for a server. Plain ES2020 as launch.js.
//
// Young: unbounded it doubles up to 128 MiB, whenever more has survived than it holds, thus on every server that runs long enough;
// it also decides how many read buffers of sockets wait, outside the heap, to be collected with it. `--max-semi-space-size` is only
// heard at the start of a process, and starting a second process for it would double the start time. The growth factor is
// looked at each time the young generation might grow, so it is taken away while it is large enough. It shrinks when nothing
// happens for a while: then it may grow again.
//
// Old: after each full collection V8 decides how far it may grow until the next, up to four times what was kept, and less where
// collecting is quick. With the 16 MiB that a server keeps that came to a full collection nine times a second, under a load that
// needed one every two seconds. So a small one may always grow to four times.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';

const MIB = 1024 * 1024;
/** Both halves together; what `--max-semi-space-size=16` allows. It is reached by doubling, so growth ends above half of it. */
export const YOUNG_BYTES_MAX = 32 * MIB;
const GROWING = 2;
const STAYING = 1;
/** An old generation of less than this is small. */
const OLD_BYTES_SMALL = 24 * MIB;
/** To four times, V8's own most; 0: its own rule. */
const OLD_GROWTH_PERCENT = 300;
const OLD_GROWTH_OWN = 0;
const YOUNG_SPACES = new Set(['new_space', 'new_large_object_space']);

/** Bytes of both halves of the young generation. */
export function youngBytes() {
  const space = v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return space === undefined ? 0 : space.space_size;
}

/** Bytes of objects in the old generation, with those that nobody needs any more. */
function oldBytes() {
  return v8
    .getHeapSpaceStatistics()
    .filter(({ space_name: name }) => !YOUNG_SPACES.has(name))
    .reduce((bytes, space) => bytes + space.space_used_size, 0);
}

/** Whoever gave Node.js one of these options has chosen. */
function isChosen(pattern) {
  return [...process.execArgv, process.env.NODE_OPTIONS || ''].some((text) => pattern.test(text));
}

/** Answers what to do after a collection. */
function holdYoung() {
  let factor = GROWING;
  return () => {
    const wanted = youngBytes() * GROWING > YOUNG_BYTES_MAX ? STAYING : GROWING;
    if (wanted === factor) return;
    factor = wanted;
    v8.setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
}

/** V8 reads it at the end of a full collection. */
function letOldGrow() {
  v8.setFlagsFromString(`--heap-growing-percent=${oldBytes() < OLD_BYTES_SMALL ? OLD_GROWTH_PERCENT : OLD_GROWTH_OWN}`);
}

/**
 * Holds the young generation of this process at {@link YOUNG_BYTES_MAX} and lets a small old one grow. It looks after
 * collections only: idle, it costs nothing.
 */
export function sizeGenerations() {
  const afterAny = isChosen(/--(min|max)[-_]semi[-_]space[-_]size/) ? undefined : holdYoung();
  const afterFull = isChosen(/--(heap[-_]growing[-_]percent|initial[-_](heap|old[-_]space)[-_]size)/) ? undefined : letOldGrow;
  if (afterFull !== undefined) afterFull();
  const observer = new PerformanceObserver((list) => {
    if (afterAny !== undefined) afterAny();
    const wasFull = ({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
    if (afterFull !== undefined && list.getEntries().some(wasFull)) afterFull();
  });
  observer.observe({ entryTypes: ['gc'] });
}
