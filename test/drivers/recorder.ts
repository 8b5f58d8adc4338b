import { AroundDriver, type StorageVerb } from './around-driver.ts';

export interface StorageCall {
  verb: StorageVerb;
  /** For `list`, the prefix; the empty string for `close`. */
  key: string;
}

/** Writes down every call, in the order in which they began; a listing is written down once. */
export class RecorderDriver extends AroundDriver {
  readonly calls: StorageCall[] = [];

  override list(...[prefix, options]: Parameters<AroundDriver['list']>): AsyncIterable<string> {
    this.calls.push({ verb: 'list', key: prefix ?? '' });
    return super.list(prefix, options);
  }

  protected around<T>(verb: StorageVerb, key: string, call: () => Promise<T>): Promise<T> {
    if (verb !== 'list') this.calls.push({ verb, key });
    return call();
  }

  /** Keys of the calls with this verb. */
  keys(verb: StorageVerb): string[] {
    return this.calls.filter((call) => call.verb === verb).map(({ key }) => key);
  }
}
