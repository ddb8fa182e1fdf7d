/** Where and how messages are kept: paths, sizes, flush, expiry, limits (store.md 19; MessageStoreConfig). */
import { bool, double, inert, int, LIVE, long, nullable, oneOf, START, string } from './config-entry.ts';

const PAGE_CACHE = 'everything that arrives in one turn goes to the page cache in one write; there is no commit stage to tune';
const FLUSHING = 'dirty data is synced every 500 ms or 32 MB, whichever comes first';
const MEMORY_MAP = 'files are written and read with positioned calls, not mapped into memory';
const FILE_REMOVAL = 'no reader can hold an expired file: it is removed at once';
const COMPACTION = 'compacted topics are not built yet';
const CQ_EXT = 'units that an Apache broker left are read; rows of ours carry the tags code itself, which Apache reads as well';
const LMQ_STATS = 'light queues are never counted one by one';
const RECOVERY = 'recovery replays the CommitLog through the same dispatch as an append';
const BYTES = { unit: 'bytes' };
const MS = { unit: 'ms' };
const PERCENT = { unit: '%' };

export const storePathEntries = [
  string('storePathRootDir', (host) => `${host.homeDirectory}/store`, START, 'The folder of the store.', { defaultText: '~/store' }),
  nullable(
    'storePathCommitLog',
    undefined,
    START,
    'The folder of the CommitLog, to put it on a disk of its own; several joined by commas share the files.',
    {
      defaultText: 'storePathRootDir/commitlog',
    },
  ),
  string('readOnlyCommitLogStorePaths', '', START, 'CommitLog folders that are only read; several joined by commas.', {
    shownWhenSet: true,
  }),
  nullable('storePathDLedgerCommitLog', undefined, inert('DLedger is not built'), 'The folder of the DLedger log.'),
  nullable('storePathEpochFile', undefined, inert('controller mode is not built yet'), 'The epoch file.'),
  nullable('storePathBrokerIdentity', undefined, inert('controller mode is not built yet'), 'The file with the id that a controller gave.'),
  string('storeType', 'default', inert('the store is always the file store'), 'default, or defaultRocksDB for ConsumeQueues in RocksDB.'),
  string('messageStorePlugIn', '', inert('Java plug-ins cannot run here'), 'Java classes around the store.'),
] as const;

export const storeSizeEntries = [
  int('mappedFileSizeCommitLog', 1073741824, START, 'Size of a CommitLog file. Never change it on a store that has data.', {
    unit: 'bytes',
    min: 1024,
  }),
  int('mappedFileSizeConsumeQueue', 6000000, START, 'Size of a ConsumeQueue file (rounded up to whole entries of 20 bytes).', {
    unit: 'bytes',
    min: 20,
  }),
  int('mapperFileSizeBatchConsumeQueue', 13800000, START, 'Size of a ConsumeQueue file of a batch topic.', BYTES),
  int('maxHashSlotNum', 5000000, START, 'Hash slots of an IndexFile. Never change it on a store that has data.', { min: 1 }),
  int('maxIndexNum', 20000000, START, 'Entries of an IndexFile. Never change it on a store that has data.', { min: 2 }),
  bool('messageIndexEnable', true, START, 'Keep IndexFiles; without them messages cannot be queried by key.'),
  bool(
    'messageIndexSafe',
    false,
    inert('recovery indexes the unfinished IndexFile again in any case'),
    'Let recovery start no later than the last flushed IndexFile.',
  ),
  bool('indexFileWriteEnable', true, inert('messageIndexEnable alone decides'), 'Write IndexFiles.'),
  bool('indexFileReadEnable', true, inert('messageIndexEnable alone decides'), 'Answer key queries from IndexFiles.'),
  int('maxMessageSize', 4194304, LIVE, 'Largest body that is accepted.', { unit: 'bytes', min: 1 }),
  int('maxFilterMessageSize', 16000, LIVE, 'Bytes of ConsumeQueue that a filtering pull looks at, at least.', BYTES),
  int('maxTopicLength', 127, inert('the limit of a topic name follows from the record version'), 'Longest topic name.'),
  bool(
    'autoMessageVersionOnTopicLen',
    true,
    inert('topic names above 127 bytes always get record version 2'),
    'Write record version 2 for topic names above 127 bytes.',
  ),
  int('maxMsgsNumBatch', 64, LIVE, 'Most messages that a key query returns.', { min: 1 }),
  int('defaultQueryMaxNum', 32, LIVE, 'Messages that a key query returns unless it asks for less.', { min: 1 }),
  int('maxTransferBytesOnMessageInMemory', 262144, LIVE, 'Bytes per pull from memory.', { unit: 'bytes', min: 1 }),
  int('maxTransferCountOnMessageInMemory', 32, LIVE, 'Messages per pull from memory.', { min: 1 }),
  int('maxTransferBytesOnMessageInDisk', 65536, LIVE, 'Bytes per pull from disk.', { unit: 'bytes', min: 1 }),
  int('maxTransferCountOnMessageInDisk', 8, LIVE, 'Messages per pull from disk.', { min: 1 }),
  int('accessMessageInMemoryMaxRatio', 40, LIVE, 'Share of memory behind the end of the CommitLog that counts as in memory.', {
    unit: '%',
    min: 0,
    max: 100,
  }),
  int('accessMessageInMemoryHotRatio', 26, inert('cold data is not limited'), 'The same for cold data control.', PERCENT),
  int('maxConsumeQueueScan', 20000, inert('lag of filtering groups is not estimated'), 'Entries that an estimate looks at.'),
  int('sampleCountThreshold', 5000, inert('lag of filtering groups is not estimated'), 'When an estimate samples.'),
  int('sampleSteps', 32, inert('lag of filtering groups is not estimated'), 'Steps of the sampling.'),
  int(
    'travelCqFileNumWhenGetMessage',
    1,
    inert('a pull reads across the end of a ConsumeQueue file by itself'),
    'ConsumeQueue files that a pull may cross.',
  ),
  int('putMsgIndexHightWater', 600000, inert('no version of Apache reads it either'), 'Without meaning today.'),
  bool('searchBcqByCacheEnable', true, inert('rows of batch queues are searched in the page cache'), 'Search them through a cache.'),
] as const;

export const flushEntries = [
  oneOf(
    'flushDiskType',
    ['ASYNC_FLUSH', 'SYNC_FLUSH'],
    'ASYNC_FLUSH',
    START,
    'What an ack means: in the operating system, or on the disk.',
  ),
  int('syncFlushTimeout', 5000, LIVE, 'After how long a SYNC_FLUSH send is answered FLUSH_DISK_TIMEOUT.', { unit: 'ms', min: 1 }),
  int('putMessageTimeout', 8000, inert('syncFlushTimeout and slaveTimeout bound a send'), 'How long a send may take.', MS),
  int('flushIntervalCommitLog', 500, START, 'How often the CommitLog is synced.', MS),
  bool('flushCommitLogTimed', true, inert(FLUSHING), 'Sync at fixed times.'),
  int('flushCommitLogLeastPages', 4, inert(FLUSHING), 'Fewest pages that are worth a sync.', { unit: '4 KB pages' }),
  int('flushCommitLogThoroughInterval', 10000, inert(FLUSHING), 'When fewer are synced too.', MS),
  int('commitIntervalCommitLog', 200, inert(PAGE_CACHE), 'How often the transient pool is written.', MS),
  int('commitCommitLogLeastPages', 4, inert(PAGE_CACHE), 'Fewest pages that are worth it.', { unit: '4 KB pages' }),
  int('commitCommitLogThoroughInterval', 200, inert(PAGE_CACHE), 'When fewer are written too.', MS),
  bool('transientStorePoolEnable', false, inert(PAGE_CACHE), 'Write through memory outside the heap.'),
  int('transientStorePoolSize', 5, inert(PAGE_CACHE), 'Its buffers.'),
  bool('fastFailIfNoBufferInStorePool', false, inert(PAGE_CACHE), 'Refuse sends when it is empty.'),
  bool('wakeCommitWhenPutMessage', true, inert(PAGE_CACHE), 'Wake the committing thread at each append.'),
  bool('wakeFlushWhenPutMessage', false, inert(PAGE_CACHE), 'Wake the flushing thread at each append.'),
  bool('readUnCommitted', false, inert(PAGE_CACHE), 'Serve messages that are not in the page cache yet.'),
  int('flushIntervalConsumeQueue', 1000, START, 'How often a slice of the ConsumeQueues is synced.', { unit: 'ms', min: 1 }),
  int('flushConsumeQueueLeastPages', 2, inert('every changed queue is synced in its turn'), 'Fewest pages that are worth a sync.', {
    unit: '4 KB pages',
  }),
  int('flushConsumeQueueThoroughInterval', 60000, START, 'How often all of them are synced and the checkpoint moves.', {
    unit: 'ms',
    min: 1,
  }),
  bool('putConsumeQueueDataByFileChannel', true, inert(MEMORY_MAP), 'Write ConsumeQueues through the file, not the map.'),
  bool('enableRunningFlagsInFlush', false, inert('a failed sync always stops the writer'), 'Refuse sends after a failed sync.'),
] as const;

export const expiryEntries = [
  int('fileReservedTime', 72, LIVE, 'How long messages are kept.', { unit: 'h', min: 0 }),
  string('deleteWhen', '04', LIVE, 'At which hours expired files are removed; several joined by semicolons.'),
  int('diskMaxUsedSpaceRatio', 75, LIVE, 'From this usage on expired files are removed at any hour.', { unit: '%', clamp: [10, 95] }),
  int('diskSpaceCleanForciblyRatio', 85, LIVE, 'From this usage on files that are not expired are removed too.', {
    unit: '%',
    min: 0,
    max: 100,
  }),
  int('diskSpaceWarningLevelRatio', 90, LIVE, 'From this usage on sends are refused.', { unit: '%', min: 0, max: 100 }),
  double(
    'logicalDiskSpaceCleanForciblyThreshold',
    0.8,
    inert('one CommitLog folder: diskSpaceCleanForciblyRatio decides'),
    'The same over several CommitLog folders.',
  ),
  bool('cleanFileForciblyEnable', true, LIVE, 'Allow that removal.'),
  int('cleanResourceInterval', 10000, START, 'How often expiry and disk usage are looked at.', { unit: 'ms', min: 1 }),
  int('deleteCommitLogFilesInterval', 100, START, 'Pause between two removals of CommitLog files.', { unit: 'ms', min: 0 }),
  int('deleteConsumeQueueFilesInterval', 100, START, 'Pause between two removals of ConsumeQueue files.', { unit: 'ms', min: 0 }),
  int('deleteFileBatchMax', 10, LIVE, 'CommitLog files removed per round.', { min: 1 }),
  int('maxBatchDeleteFilesNum', 50, inert('deleteFileBatchMax bounds a round'), 'Most files removed at once.'),
  int('destroyMapedFileIntervalForcibly', 120000, inert(FILE_REMOVAL), 'When a file in use is removed all the same.', MS),
  int('redeleteHangedFileInterval', 120000, inert(FILE_REMOVAL), 'When a removal is tried again.', MS),
  bool(
    'enableCleanExpiredOffset',
    false,
    inert('offsets below the first message are corrected when they are read'),
    'Drop offsets of expired messages.',
  ),
  int(
    'correctLogicMinOffsetSleepInterval',
    1,
    inert('the first valid entry of a queue is found when files expire'),
    'Pause between two corrections.',
    MS,
  ),
  int(
    'correctLogicMinOffsetForceInterval',
    300000,
    inert('the first valid entry of a queue is found when files expire'),
    'How often all queues are corrected.',
    MS,
  ),
  bool('diskFallRecorded', true, inert('the lag in bytes is always known'), 'Record how far consumers lag behind the disk.'),
] as const;

export const recoveryEntries = [
  bool('checkCRCOnRecover', true, START, 'Check the body of every record during recovery.'),
  bool('enabledAppendPropCRC', false, START, 'Add a checksum over the whole record to its properties.'),
  bool('forceVerifyPropCRC', false, START, 'Refuse records without that checksum during recovery.'),
  int('commitLogRecoverMaxNum', 10, START, 'Most CommitLog files that recovery walks back.'),
  bool(
    'checkCommitLogOffsetOnRecover',
    false,
    inert('recovery always stops at a record that is not where it says it is'),
    'Stop recovery at a record whose own position lies outside its file.',
  ),
  bool('enableAcceleratedRecovery', false, inert(RECOVERY), 'Start abnormal recovery at the dispatched position.'),
  int('maxRecoveryCommitlogFiles', 30, inert('commitLogRecoverMaxNum bounds recovery'), 'Most files for RocksDB recovery.'),
  bool('recheckReputOffsetFromCq', false, inert(RECOVERY), 'Find the dispatch position from the ConsumeQueues.'),
  bool('duplicationEnable', false, inert('a record becomes visible when it is appended'), 'Dispatch only confirmed records.'),
  bool('enableLogConsumeQueueRepeatedlyBuildWhenRecover', false, inert(RECOVERY), 'Log entries that recovery builds again.'),
  long('maxChecksumRange', 1073741824, inert('DLedger is not built'), 'Bytes checked after a role change.', BYTES),
] as const;

export const mappedFileEntries = [
  bool('warmMapedFileEnable', false, inert(MEMORY_MAP), 'Touch every page of a new file.'),
  int('flushLeastPagesWhenWarmMapedFile', 4096, inert(MEMORY_MAP), 'Sync after so many.', { unit: '4 KB pages' }),
  bool('mappedFileSwapEnable', true, inert(MEMORY_MAP), 'Unmap and map old files again.'),
  long('commitLogForceSwapMapInterval', 43200000, inert(MEMORY_MAP), 'When an old file is swapped in any case.', MS),
  long('commitLogSwapMapInterval', 3600000, inert(MEMORY_MAP), 'When an old file is swapped.', MS),
  int('commitLogSwapMapReserveFileNum', 100, inert(MEMORY_MAP), 'Files left alone.'),
  long('logicQueueForceSwapMapInterval', 43200000, inert(MEMORY_MAP), 'The same for ConsumeQueues.', MS),
  long('logicQueueSwapMapInterval', 3600000, inert(MEMORY_MAP), 'The same for ConsumeQueues.', MS),
  long('cleanSwapedMapInterval', 300000, inert(MEMORY_MAP), 'How often swapped maps are dropped.', MS),
  int('logicQueueSwapMapReserveFileNum', 20, inert(MEMORY_MAP), 'Files left alone.'),
  bool('dataReadAheadEnable', true, inert('read-ahead follows each reader'), 'Advise the system to read ahead.'),
  bool('writeWithoutMmap', false, inert('files are never mapped'), 'Write with positioned calls.'),
  int('sharedByteBufferNum', 16, inert('files are never mapped'), 'Its buffers.'),
] as const;

export const queueKindEntries = [
  bool('enableConsumeQueueExt', false, inert(CQ_EXT), 'Keep filter bit maps beside the ConsumeQueue.'),
  int('mappedFileSizeConsumeQueueExt', 50331648, START, 'Size of such a file.', BYTES),
  int('bitMapLengthConsumeQueueExt', 112, inert(CQ_EXT), 'Bits of a bit map; follows from the bloom filter.'),
  bool('enableLmq', false, START, 'Messages may name light queues (%LMQ%…) that get them too.'),
  bool('enableMultiDispatch', false, START, 'Make their rows in those queues; needs enableLmq.'),
  int('maxLmqConsumeQueueNum', 20000, LIVE, 'Most light queues, with enableLmqQuota.'),
  bool('enableLmqQuota', false, LIVE, 'Refuse messages that would create more.'),
  bool('enableLmqStats', false, inert(LMQ_STATS), 'Statistics of light queues.'),
  bool('enableCompaction', true, inert(COMPACTION), 'Serve topics that keep the last message per key.'),
  int('compactionMappedFileSize', 104857600, inert(COMPACTION), 'Size of a compacted log file.', BYTES),
  int('compactionCqMappedFileSize', 10485760, inert(COMPACTION), 'Size of its ConsumeQueue file.', BYTES),
  int('compactionScheduleInternal', 900000, inert(COMPACTION), 'How often topics are compacted.', MS),
  int('compactionThreadNum', 6, inert(COMPACTION), 'Threads that compact.'),
  int('maxOffsetMapSize', 104857600, inert(COMPACTION), 'Memory for the keys.', BYTES),
  bool('enableBatchPush', false, inert('DLedger is not built'), 'Replicate in batches.'),
] as const;
