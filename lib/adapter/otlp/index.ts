export { type OtlpSettings, startExport } from './export.ts';
export { teeLog } from './log.ts';
