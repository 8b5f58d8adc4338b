/**
 * What the contract suites take of vitest, for a runtime where vitest cannot run: tests are registered when the module is
 * loaded, and each is run by a request of its own, in a sandbox of its own.
 */
export { expect } from './_expect.ts';

type Work = () => unknown;
type Skip = (reason?: string) => never;
type Body = (...values: never[]) => unknown;

interface Suite {
  title: string;
  parent: Suite | undefined;
  isOff: boolean;
  beforeAll: Work[];
  beforeEach: Work[];
  afterAll: Work[];
}

interface Test {
  title: string;
  suite: Suite;
  isOff: boolean;
  run: (context: { skip: Skip }) => unknown;
}

/** How a test ended. */
export type Outcome = { ok: true } | { ok: false; error: string } | { skipped: string };

class Skipped extends Error {}

const tests: Test[] = [];
let suite: Suite = newSuite('', undefined, false);

function newSuite(title: string, parent: Suite | undefined, isOff: boolean): Suite {
  return { title, parent, isOff: isOff || parent?.isOff === true, beforeAll: [], beforeEach: [], afterAll: [] };
}

function addSuite(title: string, isOff: boolean, body: Work): void {
  const outer = suite;
  suite = newSuite(title, outer, isOff);
  body();
  suite = outer;
}

export const describe = Object.assign((title: string, body: Work) => addSuite(title, false, body), {
  skipIf: (isOff: unknown) => (title: string, body: Work) => addSuite(title, Boolean(isOff), body),
});

function add(title: string, isOff: boolean, run: Test['run']): void {
  tests.push({ title, suite, isOff: isOff || suite.isOff, run });
}

/** A row of a table: the values of a list are arguments, anything else is one. */
function each(rows: readonly unknown[]) {
  return (title: string, body: Body) => {
    for (const row of rows) {
      const values = Array.isArray(row) ? row : [row];
      add(titleOf(title, values), false, () => (body as (...all: unknown[]) => unknown)(...values));
    }
  };
}

function forEach<Row>(rows: readonly Row[]) {
  return (title: string, body: (row: Row, context: { skip: Skip }) => unknown) => {
    for (const row of rows) add(titleOf(title, [row]), false, (context) => body(row, context));
  };
}

export const it = Object.assign((title: string, run: Work) => add(title, false, run), {
  skip: (title: string, run: Work) => add(title, true, run),
  skipIf: (isOff: unknown) => (title: string, run: Work) => add(title, Boolean(isOff), run),
  each,
  for: forEach,
});

export const beforeAll = (work: Work) => void suite.beforeAll.push(work);
export const beforeEach = (work: Work) => void suite.beforeEach.push(work);
export const afterAll = (work: Work) => void suite.afterAll.push(work);

/** Titles in the order of registration, with those of their suites before them. */
export function listTests(): { title: string; isOff: boolean }[] {
  return tests.map(({ title, suite, isOff }) => ({
    title: [...suitesOf(suite).map((each) => each.title), title].join(' > '),
    isOff,
  }));
}

/** Runs one test, with everything that is to be done before and after it. */
export async function runTest(index: number): Promise<Outcome> {
  const { run, suite } = tests[index] as Test;
  const suites = suitesOf(suite);
  const skip: Skip = (reason) => {
    throw new Skipped(reason);
  };
  try {
    for (const { beforeAll } of suites) for (const work of beforeAll) await work();
    for (const { beforeEach } of suites) for (const work of beforeEach) await work();
    await run({ skip });
    for (const { afterAll } of suites.reverse()) for (const work of afterAll) await work();
    return { ok: true };
  } catch (error) {
    if (error instanceof Skipped) return { skipped: error.message };
    return { ok: false, error: error instanceof Error ? `${error}\n${error.stack}` : String(error) };
  }
}

/** From the outermost to the innermost; the nameless one around all is left out. */
function suitesOf(inner: Suite): Suite[] {
  const list: Suite[] = [];
  for (let at: Suite | undefined = inner; at?.parent; at = at.parent) list.unshift(at);
  return list;
}

/** `%s`, `%i` and `%j` in turn, `$name` of the first value. */
function titleOf(title: string, values: readonly unknown[]): string {
  let next = 0;
  const [first] = values as [Record<string, unknown>];
  return title.replace(/%[sij]/g, () => String(values[next++])).replace(/\$(\w+)/g, (_, name) => String(first?.[name]));
}
