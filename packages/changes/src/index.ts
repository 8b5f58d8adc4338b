/** @module The _changes feed: pages, what it said, and a follower that resumes. */
export type { Alarm, AlarmKind } from './alarm.js';
export { type Announced, ChangeLog, type ChangeLogOptions } from './change-log.js';
export { ChangesClient, type ChangesClientOptions, MAX_LIMIT } from './changes-client.js';
export { ChangesFollower, type ChangesFollowerOptions } from './changes-follower.js';
export type { Change, ChangesPage, DropKind, Dropped } from './changes-page.js';
export { type Cursor, readCursor } from './cursor.js';
export { ChangesError, type ChangesErrorCode } from './errors.js';
export type { FollowedPage, FollowerCounts, FollowerState } from './follower-state.js';
