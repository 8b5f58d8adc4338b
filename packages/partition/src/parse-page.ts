import { PartitionError } from './errors.js';
import type { AllDocsPage } from './page.js';
import { RowTable } from './row-table.js';
import { scanPage } from './scan-page.js';

/** A page of `_all_docs` without its objects. */
export interface ParsedPage {
  /** The origin's count of all its rows. */
  totalRows: number;
  rows: RowTable;
}

/** The page in `body`: scanned where it is regular, else parsed, which says the same and costs several times as much. `ERR_BAD_PAGE` when it is not one. */
export function parsePage(body: Uint8Array): ParsedPage {
  const scanned = scanPage(body);
  if (scanned) return scanned;
  let page: unknown;
  try {
    page = JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new PartitionError('ERR_BAD_PAGE', 'the origin answered _all_docs with something that is not whole JSON', {
      cause,
    });
  }
  const { rows, total_rows } = (page ?? {}) as Partial<AllDocsPage>;
  if (!Array.isArray(rows) || typeof total_rows !== 'number' || !Number.isFinite(total_rows)) {
    throw new PartitionError(
      'ERR_BAD_PAGE',
      'the origin answered _all_docs with JSON that has no rows; is it a registry?',
    );
  }
  // Most that is not regular is only spelled otherwise.
  const respelled = new TextEncoder().encode(JSON.stringify({ total_rows, offset: 0, rows }));
  return scanPage(respelled) ?? { totalRows: total_rows, rows: RowTable.of(rows) };
}
