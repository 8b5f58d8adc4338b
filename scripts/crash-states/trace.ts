/** What a workload did to the replica's files, in order, with its notes in between. Paths are relative to the replica. */
export type Event =
  | { type: 'create'; path: string; inode: number }
  | { type: 'mkdir' | 'rmdir' | 'unlink'; path: string }
  | { type: 'rename'; path: string; to: string; inode: number }
  | { type: 'write'; inode: number; offset: number; data: Buffer }
  | { type: 'truncate'; inode: number; size: number }
  /** A file's content is safe. */
  | { type: 'sync'; inode: number }
  /** The names in a directory are safe. */
  | { type: 'sync-names'; path: string }
  | { type: 'start' | 'ack'; step: number };

export type Recording = Event[];

/** SQLite's shared memory: written by mmap, which no trace shows, and rebuilt from the WAL by whoever comes first. */
const NOT_TRACED = /-shm$/;

interface OpenFile {
  inode: number | undefined;
  path: string;
  offset: number;
  append: boolean;
}

/** Events of a trace by `strace -f -xx`. A call on the replica that is not known here is an error. */
export function parseTrace(text: string, root: string, notes: string): Recording {
  const reader = new Reader(root, notes);
  const unfinished = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || rest === undefined || /^(\+\+\+|---)/.test(rest)) continue;
    const begun = /^(.*?) *<unfinished \.\.\.>$/.exec(rest)?.[1];
    if (begun !== undefined) {
      unfinished.set(thread, begun);
      // The number is free from here on: another thread may get it before this call is seen to end.
      if (begun.startsWith('close(')) reader.take('close', begun.slice('close('.length), 0);
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const whole = resumed === undefined ? rest : `${unfinished.get(thread)}${resumed}`;
    const [, name, args, result] = /^(\w+)\((.*)\) += (-?\d+|\?)/.exec(whole) ?? [];
    if (name === undefined || args === undefined) throw new Error(`not a line of a trace: ${line.slice(0, 200)}`);
    if (resumed !== undefined && name === 'close') continue;
    if (Number(result) >= 0) reader.take(name, args, Number(result));
  }
  return reader.events;
}

class Reader {
  readonly events: Event[] = [];
  readonly #root: string;
  readonly #notes: string;
  readonly #files = new Map<number, OpenFile>();
  readonly #names = new Map<string, number>();
  readonly #sizes = new Map<number, number>();
  #inodes = 0;

  constructor(root: string, notes: string) {
    this.#root = root;
    this.#notes = notes;
  }

  take(name: string, args: string, result: number): void {
    switch (name) {
      case 'open':
        this.#open(args, 0, result);
        return;
      case 'openat':
        this.#open(args, 1, result);
        return;
      case 'close':
        this.#files.delete(Number(args));
        return;
      case 'mkdir':
      case 'mkdirat': {
        const path = this.#path(args, 0);
        if (path !== undefined) this.events.push({ type: 'mkdir', path });
        return;
      }
      case 'rmdir':
      case 'unlink':
      case 'unlinkat': {
        const path = this.#path(args, 0);
        const type = name === 'rmdir' || args.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink';
        if (path !== undefined) this.events.push({ type, path });
        if (path !== undefined && type === 'unlink') this.#names.delete(path);
        return;
      }
      case 'rename':
      case 'renameat':
      case 'renameat2':
        this.#rename(args);
        return;
      case 'link':
      case 'linkat':
      case 'symlink':
      case 'symlinkat':
      case 'truncate':
        if (this.#path(args, 0) !== undefined || this.#path(args, 1) !== undefined)
          throw new Error(`the model knows no ${name}`);
        return;
    }
    const file = this.#files.get(Number.parseInt(args, 10));
    if (file) this.#onFile(name, args, result, file);
  }

  #open(args: string, at: number, descriptor: number): void {
    const absolute = stringsIn(args)[0]?.toString() ?? '';
    if (absolute === this.#notes) {
      this.#files.set(descriptor, { inode: undefined, path: absolute, offset: 0, append: true });
      return;
    }
    const path = this.#path(args, 0);
    const flags = args.split(', ')[at + 1] ?? '';
    if (path === undefined) return;
    let inode = this.#names.get(path);
    if (inode === undefined && flags.includes('O_CREAT')) {
      inode = ++this.#inodes;
      this.#names.set(path, inode);
      this.#sizes.set(inode, 0);
      this.events.push({ type: 'create', path, inode });
    } else if (inode !== undefined && flags.includes('O_TRUNC')) this.#truncate(inode, 0);
    // What has no inode is a directory.
    this.#files.set(descriptor, { inode, path, offset: 0, append: flags.includes('O_APPEND') });
  }

  #rename(args: string): void {
    const [path, to] = [this.#path(args, 0), this.#path(args, 1)];
    if (path === undefined && to === undefined) return;
    if (path === undefined || to === undefined) throw new Error('a file was moved over the edge of the replica');
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`a directory was renamed: ${path}`);
    this.#names.delete(path);
    this.#names.set(to, inode);
    this.events.push({ type: 'rename', path, to, inode });
  }

  #onFile(name: string, args: string, result: number, file: OpenFile): void {
    const { inode, path } = file;
    if (path === this.#notes) {
      this.#note(stringsIn(args)[0]?.toString() ?? '');
      return;
    }
    if (inode === undefined) {
      if (name === 'fsync' || name === 'fdatasync') this.events.push({ type: 'sync-names', path });
      else throw new Error(`${name} on a directory`);
      return;
    }
    const last = Number(/([\d]+)$/.exec(args)?.[1]);
    switch (name) {
      case 'write':
      case 'writev': {
        const offset = file.append ? (this.#sizes.get(inode) ?? 0) : file.offset;
        this.#write(inode, offset, args, result);
        file.offset = offset + result;
        return;
      }
      case 'pwrite64':
      case 'pwritev':
        this.#write(inode, last, args, result);
        return;
      case 'lseek':
        file.offset = result;
        return;
      case 'ftruncate':
        this.#truncate(inode, last);
        return;
      case 'fsync':
      case 'fdatasync':
        this.events.push({ type: 'sync', inode });
        return;
      default:
        throw new Error(`the model knows no ${name}`);
    }
  }

  #write(inode: number, offset: number, args: string, result: number): void {
    const data = Buffer.concat(stringsIn(args)).subarray(0, result);
    if (data.length !== result) throw new Error('the trace holds only a part of what was written');
    this.#sizes.set(inode, Math.max(this.#sizes.get(inode) ?? 0, offset + data.length));
    this.events.push({ type: 'write', inode, offset, data });
  }

  #truncate(inode: number, size: number): void {
    this.#sizes.set(inode, size);
    this.events.push({ type: 'truncate', inode, size });
  }

  #note(text: string): void {
    const [, what, step] = /^([SA]) (\d+)\n$/.exec(text) ?? [];
    if (what === undefined) throw new Error(`not a note: ${text}`);
    this.events.push({ type: what === 'S' ? 'start' : 'ack', step: Number(step) });
  }

  /** The nth path of a call, relative to the replica; `undefined` for one elsewhere, and for what no trace shows. */
  #path(args: string, nth: number): string | undefined {
    const text = stringsIn(args)[nth]?.toString() ?? '';
    let absolute = text;
    if (!text.startsWith('/')) {
      const folder = this.#files.get(Number.parseInt(args, 10));
      if (!folder) return undefined;
      absolute = `${this.#root}/${folder.path}/${text}`;
    }
    if (absolute === this.#root) return '';
    if (!absolute.startsWith(`${this.#root}/`) || NOT_TRACED.test(absolute)) return undefined;
    return absolute.slice(this.#root.length + 1);
  }
}

/** All strings of a call; strace writes every byte as `\xhh`. A string that was cut short ends with dots. */
function stringsIn(args: string): Buffer[] {
  return [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g)].map(([, hex, cut]) => {
    if (cut) throw new Error('the trace holds only a part of what was written');
    return Buffer.from((hex ?? '').replaceAll('\\x', ''), 'hex');
  });
}
