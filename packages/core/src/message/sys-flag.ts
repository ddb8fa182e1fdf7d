/** Bits of a message's sysFlag (remoting.md 11, store.md 3.1). */

export const SYS_FLAG_COMPRESSED = 0x1;
export const SYS_FLAG_MULTI_TAGS = 0x2;
export const SYS_FLAG_BORN_HOST_V6 = 0x10;
export const SYS_FLAG_STORE_HOST_V6 = 0x20;
/** The consumer must take an inner batch apart. */
export const SYS_FLAG_NEED_UNWRAP = 0x40;
export const SYS_FLAG_INNER_BATCH = 0x80;
export const SYS_FLAG_COMPRESSION_MASK = 0x700;
const COMPRESSION_SHIFT = 8;

export const SYS_FLAG_TRANSACTION_MASK = 0xc;
export const TRANSACTION_NOT = 0x0;
export const TRANSACTION_PREPARED = 0x4;
export const TRANSACTION_COMMIT = 0x8;
export const TRANSACTION_ROLLBACK = 0xc;
export type TransactionType =
  | typeof TRANSACTION_NOT
  | typeof TRANSACTION_PREPARED
  | typeof TRANSACTION_COMMIT
  | typeof TRANSACTION_ROLLBACK;

/** The transaction type bits. */
export function transactionTypeOf(sysFlag: number): TransactionType {
  return (sysFlag & SYS_FLAG_TRANSACTION_MASK) as TransactionType;
}

/** The flag with its transaction type replaced. */
export function withTransactionType(sysFlag: number, type: TransactionType): number {
  return (sysFlag & ~SYS_FLAG_TRANSACTION_MASK) | type;
}

export type CompressionType = 'lz4' | 'zstd' | 'zlib';

const COMPRESSION_NUMBERS: Readonly<Record<CompressionType, number>> = { lz4: 1, zstd: 2, zlib: 3 };

/** How a compressed body is packed; 0 means zlib (4.x clients). undefined: a number that nobody defines (4–7). */
export function compressionTypeOf(sysFlag: number): CompressionType | undefined {
  switch ((sysFlag & SYS_FLAG_COMPRESSION_MASK) >> COMPRESSION_SHIFT) {
    case 0:
    case COMPRESSION_NUMBERS.zlib:
      return 'zlib';
    case COMPRESSION_NUMBERS.lz4:
      return 'lz4';
    case COMPRESSION_NUMBERS.zstd:
      return 'zstd';
    default:
      return undefined;
  }
}

/** The flag of a message whose body was compressed that way. */
export function withCompression(sysFlag: number, type: CompressionType): number {
  return (sysFlag & ~SYS_FLAG_COMPRESSION_MASK) | SYS_FLAG_COMPRESSED | (COMPRESSION_NUMBERS[type] << COMPRESSION_SHIFT);
}
