export { DURATION_COUNTS } from './durations.ts';
export {
  type CallMinute,
  EFFECTS,
  LONGEST_PATH,
  LONGEST_ROUTE,
  MOST_ROWS,
  MOST_SAMPLES,
  STATUS_CLASSES,
} from './report.ts';
export { type Edge, serviceMap, type Told } from './service-map.ts';
export { type Call, Tally } from './tally.ts';
