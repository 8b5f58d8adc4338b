import { DIRECTORY, EMPTY, overlay, parentOf, resize } from './state.ts';
import type { Event } from './trace.ts';

export type NameEvent = Extract<Event, { path: string }> & { type: 'create' | 'mkdir' | 'rmdir' | 'unlink' | 'rename' };
export type ContentEvent = Extract<Event, { type: 'write' | 'truncate' }>;

/** A file: what a sync has made safe, what came after it, and both together as a living process sees it. */
export interface FileContent {
  safe: Buffer;
  pending: ContentEvent[];
  now: Buffer;
}

/** Names as the disk may hold them: what is safe, and the changes that are not yet. */
export interface NameState {
  safe: Map<string, number>;
  pending: NameEvent[];
}

/** A file system that remembers what was synced. */
export class FileModel {
  readonly names = new Map<string, number>();
  readonly files = new Map<number, FileContent>();
  /** POSIX's word: a name is safe when its directory was synced, and names are lost one by one. */
  readonly strict: NameState = { safe: new Map(), pending: [] };
  /** A journal's way: changes of names are lost only from the end, and any sync makes all before it safe. */
  readonly journal: NameState = { safe: new Map(), pending: [] };

  contentOf(inode: number): FileContent {
    let file = this.files.get(inode);
    if (!file) {
      file = { safe: EMPTY, pending: [], now: EMPTY };
      this.files.set(inode, file);
    }
    return file;
  }

  /** Carries out an event; `false` when it changed nothing that a crash state could show. */
  apply(event: Event): boolean {
    switch (event.type) {
      case 'write':
      case 'truncate': {
        const file = this.contentOf(event.inode);
        file.now = changed(file.now, event);
        file.pending.push(event);
        return true;
      }
      case 'sync': {
        const file = this.contentOf(event.inode);
        file.safe = file.now;
        file.pending = [];
        settle(this.journal, () => true);
        return true;
      }
      case 'sync-names':
        settle(this.strict, ({ path, ...more }) => {
          const to = 'to' in more ? more.to : path;
          return parentOf(path) === event.path || parentOf(to) === event.path;
        });
        settle(this.journal, () => true);
        return true;
      case 'start':
      case 'ack':
        return false;
      default:
        rename(this.names, event);
        this.strict.pending.push(event);
        this.journal.pending.push(event);
        return true;
    }
  }
}

export function changed(content: Buffer, event: ContentEvent): Buffer {
  return event.type === 'write' ? overlay(content, event.offset, event.data) : resize(content, event.size);
}

/** Carries out a change of names. */
export function rename(names: Map<string, number>, event: NameEvent): void {
  switch (event.type) {
    case 'create':
      names.set(event.path, event.inode);
      return;
    case 'mkdir':
      names.set(event.path, DIRECTORY);
      return;
    case 'rename':
      // Where the first name never reached the disk, the second one stands for the same file all the same.
      names.delete(event.path);
      names.set(event.to, event.inode);
      return;
    default:
      names.delete(event.path);
  }
}

function settle(state: NameState, isSafe: (event: NameEvent) => boolean): void {
  for (const event of state.pending) if (isSafe(event)) rename(state.safe, event);
  state.pending = state.pending.filter((event) => !isSafe(event));
}
