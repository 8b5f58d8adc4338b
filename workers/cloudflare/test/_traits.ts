import type { StorageTraits } from '../../../test/contract/storage-driver.ts';

/** What holds for every driver of this runtime. */
export const cannotDecode: NonNullable<StorageTraits['cannotDecode']> = {
  value: ['br', 'zstd'],
  reason: 'DecompressionStream knows neither',
};
