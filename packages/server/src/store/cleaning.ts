/**
 * When old files go and when writing stops (store.md 10): plain functions of what was measured.
 *
 * Nothing here touches a file; `CleaningLoop` does what the functions say.
 */

export interface CleaningSettings {
  /** `fileReservedTime`, hours. */
  readonly fileReservedHours: number;
  /** Local hours at which expired files go (`deleteWhen`, "04" or "04;16"). */
  readonly deleteHours: ReadonlySet<number>;
  /** `diskMaxUsedSpaceRatio`: above it expired files go at any hour. Percent, as the three ratios. */
  readonly diskMaxUsedSpaceRatio: number;
  /** `diskSpaceCleanForciblyRatio`, 30–85: above it files go before their time. */
  readonly diskSpaceCleanForciblyRatio: number;
  /** `diskSpaceWarningLevelRatio`, 35–90: above it nothing is written. */
  readonly diskSpaceWarningLevelRatio: number;
  /** `cleanFileForciblyEnable`. */
  readonly cleanFileForciblyEnable: boolean;
  /** `deleteFileBatchMax`: files per round. */
  readonly deleteFileBatchMax: number;
}

/** The keys that decide, as the configuration has them. */
export interface CleaningConfig {
  readonly fileReservedTime: number;
  readonly deleteWhen: string;
  readonly diskMaxUsedSpaceRatio: number;
  readonly diskSpaceCleanForciblyRatio: number;
  readonly diskSpaceWarningLevelRatio: number;
  readonly cleanFileForciblyEnable: boolean;
  readonly deleteFileBatchMax: number;
}

/** Answers what the keys say now; they can be changed at run time. */
export function cleaningSettings(config: CleaningConfig): () => CleaningSettings {
  let deleteWhen = config.deleteWhen;
  let deleteHours = parseDeleteWhen(deleteWhen);
  return () => {
    if (config.deleteWhen !== deleteWhen) {
      deleteWhen = config.deleteWhen;
      deleteHours = parseDeleteWhen(deleteWhen);
    }
    return settingsOf(config, deleteHours);
  };
}

function settingsOf(config: CleaningConfig, deleteHours: ReadonlySet<number>): CleaningSettings {
  const { diskMaxUsedSpaceRatio, diskSpaceCleanForciblyRatio, diskSpaceWarningLevelRatio, cleanFileForciblyEnable, deleteFileBatchMax } =
    config;
  return {
    fileReservedHours: config.fileReservedTime,
    deleteHours,
    diskMaxUsedSpaceRatio,
    diskSpaceCleanForciblyRatio,
    diskSpaceWarningLevelRatio,
    cleanFileForciblyEnable,
    deleteFileBatchMax,
  };
}

/** Bounds of the two ratios that stop the world, as Apache clamps them. */
const WARNING_RATIO_MIN = 35;
const WARNING_RATIO_MAX = 90;
const FORCIBLY_RATIO_MIN = 30;
const FORCIBLY_RATIO_MAX = 85;

/** `deleteWhen` as hours; a token that is no hour is left out. */
export function parseDeleteWhen(text: string): ReadonlySet<number> {
  const hours = text.split(';').map((token) => token.trim());
  return new Set(hours.filter((token) => /^\d{1,2}$/.test(token)).map(Number));
}

/** Used share of a partition, 0 to 1, rounded up to a whole percent as Apache does. */
export function diskUseRatio(space: { readonly totalBytes: number; readonly usableBytes: number; readonly freeBytes?: number }): number {
  const free = space.freeBytes ?? space.usableBytes;
  const used = Math.max(0, space.totalBytes - free);
  const reachable = used + space.usableBytes;
  return reachable <= 0 ? 1 : Math.ceil((used * 100) / reachable) / 100;
}

export type DiskLevel =
  /** Nothing to do. */
  | 'normal'
  /** Expired files go now, whatever the hour. */
  | 'high'
  /** Files go before their time. */
  | 'forcible'
  /** As `forcible`, and messages are refused. */
  | 'full';

/** How much a partition is used. */
export function diskLevel(useRatio: number, settings: CleaningSettings): DiskLevel {
  const percent = useRatio * 100;
  if (percent > clamp(settings.diskSpaceWarningLevelRatio, WARNING_RATIO_MIN, WARNING_RATIO_MAX)) {
    return 'full';
  }
  if (percent > clamp(settings.diskSpaceCleanForciblyRatio, FORCIBLY_RATIO_MIN, FORCIBLY_RATIO_MAX)) {
    return 'forcible';
  }
  return percent > settings.diskMaxUsedSpaceRatio || useRatio < 0 ? 'high' : 'normal';
}

export interface CleaningInput {
  /** Local hour of the day, 0–23. */
  readonly hour: number;
  /** Use of the fullest partition that matters: of the CommitLog directories the emptiest one, and of the ConsumeQueues. */
  readonly commitLogUseRatio: number;
  readonly consumeQueueUseRatio: number;
  /** Rounds that an operator's request still covers. */
  readonly manualRoundsLeft: number;
}

export interface CleaningPlan {
  /** Look for CommitLog files to remove. */
  readonly clean: boolean;
  /** Remove them though they have not expired. */
  readonly forcibly: boolean;
  /** Refuse messages until there is room. */
  readonly diskFull: boolean;
  /** Why, for log and console; undefined when nothing is to be done. */
  readonly reason: 'hour' | 'space' | 'manual' | undefined;
}

const LEVELS: readonly DiskLevel[] = ['normal', 'high', 'forcible', 'full'];

/** What a round of cleaning does. */
export function planCleaning(input: CleaningInput, settings: CleaningSettings): CleaningPlan {
  const levels = [diskLevel(input.commitLogUseRatio, settings), diskLevel(input.consumeQueueUseRatio, settings)];
  const level = LEVELS[Math.max(...levels.map((each) => LEVELS.indexOf(each)))] as DiskLevel;
  const bySpace = level !== 'normal';
  const byHour = settings.deleteHours.has(input.hour);
  const byHand = input.manualRoundsLeft > 0;
  return {
    clean: bySpace || byHour || byHand,
    forcibly: (level === 'forcible' || level === 'full') && settings.cleanFileForciblyEnable,
    diskFull: level === 'full',
    reason: bySpace ? 'space' : byHour ? 'hour' : byHand ? 'manual' : undefined,
  };
}

/** True when the oldest file may go. The last file of a log never does. */
export function isFileDue(
  file: { readonly modifiedMs: number; readonly isLast: boolean },
  nowMs: number,
  plan: CleaningPlan,
  settings: CleaningSettings,
): boolean {
  const expired = nowMs >= file.modifiedMs + settings.fileReservedHours * 3_600_000;
  return plan.clean && !file.isLast && (expired || plan.forcibly);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
