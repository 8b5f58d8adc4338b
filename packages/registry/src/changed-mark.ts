/** A document that changed at the registry, as far as the feed says: it is not served before it was asked for again. */
export interface ChangedMark {
  /** The feed's sequence number. */
  seq: number;
  /** The revision that the feed announced. */
  rev?: string | undefined;
  /** Epoch milliseconds at which that was seen. */
  at: number;
  /** When it is to be asked for next. */
  dueAt: number;
  /** When it was asked for last; 0 for never. */
  askedAt: number;
  /** Tries that brought no settlement: errors, documents that lag behind. */
  tries: number;
  /** How often in a row the registry, or its list of names, said that there is no such package. */
  absences: number;
  /** Wanted by a bootstrap's selection: it is brought to stay. */
  pin?: boolean | undefined;
}

/** A mark of what nobody has asked for yet, due at once unless told. */
export function newMark(said: Pick<ChangedMark, 'seq' | 'at'> & Partial<ChangedMark>): ChangedMark {
  return { dueAt: said.at, askedAt: 0, tries: 0, absences: 0, ...said };
}
