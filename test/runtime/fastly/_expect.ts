/** The few of vitest's matchers that the contract suites use, with vitest's own meaning: `expect.test.ts` compares the two. */

interface Matchers {
  toBe(wanted: unknown): void;
  toEqual(wanted: unknown): void;
  toMatchObject(wanted: unknown): void;
  toBeUndefined(): void;
  toBeDefined(): void;
  toBeGreaterThan(wanted: number): void;
  toBeInstanceOf(wanted: new (...args: never[]) => unknown): void;
  toContain(wanted: unknown): void;
}

export interface Expectation extends Matchers {
  rejects: { toBe(wanted: unknown): Promise<void> };
}

export function expect(got: unknown, about = ''): Expectation {
  const holds = (isTrue: boolean, what: string, wanted?: unknown) => {
    if (!isTrue) throw new Error(`${about ? `${about}: ` : ''}expected ${shown(got)} ${what} ${shown(wanted)}`);
  };
  return {
    toBe: (wanted) => holds(Object.is(got, wanted), 'to be', wanted),
    toEqual: (wanted) => holds(isEqual(got, wanted), 'to equal', wanted),
    toMatchObject: (wanted) => holds(hasAllOf(got, wanted), 'to match', wanted),
    toBeUndefined: () => holds(got === undefined, 'to be', undefined),
    toBeDefined: () => holds(got !== undefined, 'not to be', undefined),
    toBeGreaterThan: (wanted) => holds((got as number) > wanted, 'to be greater than', wanted),
    toBeInstanceOf: (wanted) => holds(got instanceof wanted, 'to be an instance of', wanted.name),
    toContain: (wanted) => holds((got as unknown[]).includes(wanted), 'to contain', wanted),
    rejects: {
      async toBe(wanted) {
        const error = await (got as Promise<unknown>).then(
          () => 'nothing',
          (rejected: unknown) => rejected,
        );
        if (!Object.is(error, wanted)) throw new Error(`expected to reject with ${shown(wanted)}, not ${shown(error)}`);
      },
    },
  };
}

/** The same by value; a member that is undefined is none. */
function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b) || kindOf(a) !== kindOf(b)) return false;
  if (a instanceof Uint8Array && b instanceof Uint8Array)
    return a.length === b.length && a.every((byte, i) => byte === b[i]);
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((each) => b.has(each));
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && [...a].every((each, i) => isEqual(each, b[i]));
  const keys = (of: object) => Object.keys(of).filter((key) => (of as Record<string, unknown>)[key] !== undefined);
  return keys(a).length === keys(b).length && keys(a).every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key]));
}

function hasAllOf(got: unknown, wanted: unknown): boolean {
  if (Array.isArray(got) && Array.isArray(wanted)) {
    return got.length === wanted.length && got.every((each, i) => hasAllOf(each, wanted[i]));
  }
  if (!isObject(got) || !isObject(wanted) || kindOf(wanted) !== '[object Object]') return isEqual(got, wanted);
  return Object.entries(wanted).every(([key, value]) => key in got && hasAllOf(got[key], value));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** `[object Array]` and the like. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value);
}

function shown(value: unknown): string {
  const text = typeof value === 'string' || isObject(value) ? JSON.stringify(value) : String(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
