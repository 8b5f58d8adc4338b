/** Who changes more keys than this locks all of them at once: PostgreSQL has room for so many locks only. */
const KEYS_LOCKED = 100;

/**
 * Judges commits one after the other, each by what the ones before it left, and gives who was done. A commit is
 * `{ expect: [[key, value or null]], put: [[key, value]], remove: [key] }`, all in hexadecimal. Every key is locked that is
 * changed or expected, rows that are not there included, in one order for everybody, so that nobody waits in a circle.
 * Each statement below sees what was committed before it began, so before the locks were had.
 */
export const COMMIT_ROWS = `
CREATE FUNCTION $.commit_rows(keys json, commits json) RETURNS json LANGUAGE plpgsql VOLATILE AS $fn$
DECLARE
  one json;
  holds boolean;
  done boolean[] := '{}';
BEGIN
  IF json_array_length(keys) > ${KEYS_LOCKED} THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('$.rows', 1));
  ELSE
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('$.rows', 1));
    PERFORM pg_advisory_xact_lock(hash) FROM (
      SELECT DISTINCT hashtextextended('$.rows' || touched, 2) AS hash FROM json_array_elements_text(keys) touched ORDER BY hash
    ) hashes;
  END IF;
  FOR one IN SELECT value FROM json_array_elements(commits) LOOP
    holds := NOT EXISTS (
      SELECT FROM json_array_elements(one->'expect') expected
      LEFT JOIN $.rows ON rows.key = decode(expected->>0, 'hex')
      WHERE rows.value IS DISTINCT FROM decode(expected->>1, 'hex'));
    IF holds THEN
      DELETE FROM $.rows WHERE rows.key IN (
        SELECT decode(removed, 'hex') FROM json_array_elements_text(one->'remove') removed);
      INSERT INTO $.rows (key, value)
        SELECT decode(pair->>0, 'hex'), decode(pair->>1, 'hex') FROM json_array_elements(one->'put') pair
        ON CONFLICT (key) DO UPDATE SET value = excluded.value;
    END IF;
    done := done || holds;
  END LOOP;
  RETURN array_to_json(done);
END $fn$;`;
