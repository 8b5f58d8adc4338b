/**
 * Names that exist, or may exist, and hurt: path traversal, object prototypes, case pairs, device names, byte
 * order against UTF-16 order. Every fake of 100 packages or more has all of them.
 */
export const NASTY_NAMES: readonly string[] = [
  '-', '------...whynunu', '.dot', '..dots', '_under', '~tilde', "it's", 'wow!', '(paren)', 'star*', "~'!()*",
  'constructor', '__proto__', 'hasownproperty', 'hasOwnProperty', 'toString', 'prototype', 'valueOf', 'then',
  '@explodingcabbage/..', '@x/..', '@y/.', '@a/b', '@a/constructor', '@-/-',
  'JSONStream', 'jsonstream', 'jQuery', 'jquery', 'ETag', 'etag',
  'a', 'A', '0', 'a.b.c', 'a..b', 'socket.io', 'lodash.merge',
  'con', 'con.x', 'nul', 'nul.aaa', 'nul.bbb', 'node_modules', 'favicon.ico',
  'n'.repeat(214), `@${'s'.repeat(106)}/${'p'.repeat(106)}`,
  'naïve-日本',
  // U+FF5E sorts before U+1F600 by bytes, after it by UTF-16 units.
  '\uff5ewide', '\u{1f600}grin',
];
