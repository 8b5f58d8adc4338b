/** Small lockfiles of every kind that is read, with what a registry has of them. All their names are the fake's. */
export interface LockfileCase {
  title: string;
  file: string;
  text: string;
  names: readonly string[];
}

const HOST = 'http://127.0.0.1:9';
const NAMES = ['a', '@a/b', 'jquery', 'socket.io', 'lodash.merge', 'JSONStream', '0'];
const GIT = 'git+ssh://git@git.example/some/from-git.git#0123456789abcdef0123456789abcdef01234567';
const INTEGRITY = 'sha512-AAAA';

const json = (value: unknown) => JSON.stringify(value, undefined, 2);
const tarball = (name: string, version: string) => `${HOST}/${name}/-/${name.split('/').pop()}-${version}.tgz`;

const tree = {
  a: { version: '1.0.0', resolved: tarball('a', '1.0.0'), integrity: INTEGRITY },
  '@a/b': {
    version: '2.0.0-rc.1',
    resolved: tarball('@a/b', '2.0.0-rc.1'),
    integrity: INTEGRITY,
    requires: { '0': '^1.0.0' },
    dependencies: { '0': { version: '1.0.0', resolved: tarball('0', '1.0.0'), integrity: INTEGRITY } },
  },
  'my-alias': { version: 'npm:jquery@3.0.0', resolved: tarball('jquery', '3.0.0'), integrity: INTEGRITY },
  'socket.io': { version: '4.0.0', bundled: true },
  'lodash.merge': {
    version: '4.6.2',
    resolved: tarball('lodash.merge', '4.6.2'),
    integrity: INTEGRITY,
    dev: true,
    optional: true,
  },
  JSONStream: { version: '1.3.5', resolved: tarball('JSONStream', '1.3.5'), integrity: INTEGRITY },
  'from-git': { version: GIT, from: GIT },
  'from-github': { version: 'github:some/from-github#0123456', from: 'github:some/from-github' },
  'from-file': { version: 'file:../from-file' },
  'from-tarball': { version: 'file:from-tarball-1.0.0.tgz', integrity: INTEGRITY },
  'from-url': { version: 'https://files.example/from-url-1.0.0.tgz', integrity: INTEGRITY },
};

const packages = {
  '': { name: 'root', version: '1.0.0', dependencies: { a: '^1.0.0' }, workspaces: ['tools/*'] },
  'tools/helper': { name: 'my-helper', version: '0.0.1' },
  'node_modules/my-helper': { resolved: 'tools/helper', link: true },
  'tools/helper/node_modules/0': { version: '1.0.0', resolved: tarball('0', '1.0.0'), integrity: INTEGRITY },
  'node_modules/a': { version: '1.0.0', resolved: tarball('a', '1.0.0'), integrity: INTEGRITY },
  'node_modules/@a/b': { version: '2.0.0', resolved: tarball('@a/b', '2.0.0'), integrity: INTEGRITY, dev: true },
  'node_modules/@a/b/node_modules/a': { version: '0.9.0', resolved: tarball('a', '0.9.0'), integrity: INTEGRITY },
  'node_modules/my-alias': {
    name: 'jquery',
    version: '3.0.0',
    resolved: tarball('jquery', '3.0.0'),
    integrity: INTEGRITY,
  },
  'node_modules/@me/alias': {
    name: 'socket.io',
    version: '4.0.0',
    resolved: tarball('socket.io', '4.0.0'),
    integrity: INTEGRITY,
  },
  'node_modules/lodash.merge': { version: '4.6.2', integrity: INTEGRITY, peer: true },
  'node_modules/JSONStream': {
    version: '1.3.5',
    resolved: tarball('JSONStream', '1.3.5'),
    integrity: INTEGRITY,
    inBundle: true,
  },
  'node_modules/from-git': { version: '1.0.0', resolved: GIT },
  'node_modules/from-file': { resolved: '../from-file', link: true },
  'node_modules/from-tarball': { version: '1.0.0', resolved: 'file:from-tarball-1.0.0.tgz', integrity: INTEGRITY },
};

const fromUrl = {
  '': {
    name: 'root',
    version: '1.0.0',
    dependencies: { a: '^1.0.0', jquery: 'https://files.example/jquery-3.0.0.tgz' },
  },
  'node_modules/a': { version: '1.0.0', resolved: tarball('a', '1.0.0'), integrity: INTEGRITY },
  'node_modules/jquery': { version: '3.0.0', resolved: 'https://files.example/jquery-3.0.0.tgz', integrity: INTEGRITY },
};

const pnpm5 = `lockfileVersion: 5.4

specifiers:
  a: ^1.0.0
  my-alias: npm:jquery@3.0.0

dependencies:
  a: 1.0.0
  my-alias: /jquery/3.0.0
  linked: link:../linked
  from-git: git.example/some/from-git/0123456789abcdef

packages:

  /a/1.0.0:
    resolution: {integrity: ${INTEGRITY}}
    dev: false

  /@a/b/2.0.0-rc.1_a@1.0.0:
    resolution: {integrity: ${INTEGRITY}}
    peerDependencies:
      a: '*'

  /jquery/3.0.0:
    resolution: {integrity: ${INTEGRITY}}

  /socket.io/4.0.0:
    resolution: {integrity: ${INTEGRITY}, tarball: ${tarball('socket.io', '4.0.0')}}

  /lodash.merge/4.6.2:
    resolution: {integrity: ${INTEGRITY}}

  /JSONStream/1.3.5:
    resolution: {integrity: ${INTEGRITY}}

  /0/1.0.0_@a+b@2.0.0:
    resolution: {integrity: ${INTEGRITY}}

  file:../from-file:
    resolution: {directory: ../from-file, type: directory}
    name: from-file
    version: 1.0.0

  git.example/some/from-git/0123456789abcdef:
    resolution: {commit: 0123456789abcdef, repo: 'https://git.example/some/from-git.git', type: git}
    name: from-git
    version: 1.0.0

  '@codeload.example/some/from-url/tar.gz/0123456':
    resolution: {tarball: 'https://codeload.example/some/from-url/tar.gz/0123456'}
    name: from-url
    version: 1.0.0
`;

const pnpm6 = `lockfileVersion: '6.0'

settings:
  autoInstallPeers: true

dependencies:
  my-alias:
    specifier: npm:jquery@3.0.0
    version: /jquery@3.0.0

packages:

  /a@1.0.0:
    resolution: {integrity: ${INTEGRITY}}

  /@a/b@2.0.0(a@1.0.0)(@a/c@3.0.0):
    resolution: {integrity: ${INTEGRITY}}

  /jquery@3.0.0:
    resolution: {integrity: ${INTEGRITY}}

  /socket.io@4.0.0(jquery@3.0.0):
    resolution: {integrity: ${INTEGRITY}}

  /lodash.merge@4.6.2:
    resolution: {integrity: ${INTEGRITY}}

  /JSONStream@1.3.5:
    resolution: {integrity: ${INTEGRITY}}

  /0@1.0.0:
    resolution: {integrity: ${INTEGRITY}}

  file:../from-file:
    resolution: {directory: ../from-file, type: directory}
    name: from-file

  '@git.example/some/from-git/0123456':
    resolution: {tarball: 'https://codeload.example/some/from-git/tar.gz/0123456'}
    name: from-git
    version: 1.0.0
`;

const pnpm6Tarball = `lockfileVersion: '6.0'

dependencies:
  jquery:
    specifier: file:jquery-3.0.0.tgz
    version: file:jquery-3.0.0.tgz

packages:

  /a@1.0.0:
    resolution: {integrity: ${INTEGRITY}}

  file:jquery-3.0.0.tgz:
    resolution: {integrity: ${INTEGRITY}, tarball: file:jquery-3.0.0.tgz}
    name: jquery
    version: 3.0.0
`;

const pnpm9 = `lockfileVersion: '9.0'

settings:
  autoInstallPeers: true

importers:

  .:
    dependencies:
      my-alias:
        specifier: npm:jquery@3.0.0
        version: jquery@3.0.0
      linked:
        specifier: link:../linked
        version: link:../linked

packages:

  a@1.0.0:
    resolution: {integrity: ${INTEGRITY}}

  '@a/b@2.0.0':
    resolution: {integrity: ${INTEGRITY}}
    peerDependencies:
      a: '*'

  jquery@3.0.0:
    resolution: {integrity: ${INTEGRITY}}

  socket.io@4.0.0:
    resolution: {integrity: ${INTEGRITY}}

  lodash.merge@4.6.2:
    resolution: {integrity: ${INTEGRITY}}

  JSONStream@1.3.5:
    resolution: {integrity: ${INTEGRITY}}

  '0@1.0.0':
    resolution: {integrity: ${INTEGRITY}}

  from-file@file:../from-file:
    resolution: {directory: ../from-file, type: directory}

  from-tarball@file:from-tarball-1.0.0.tgz:
    resolution: {integrity: ${INTEGRITY}, tarball: file:from-tarball-1.0.0.tgz}
    version: 1.0.0

  from-git@https://codeload.example/some/from-git/tar.gz/0123456:
    resolution: {tarball: https://codeload.example/some/from-git/tar.gz/0123456}
    version: 1.0.0

  from-url@https://files.example/from-url-1.0.0.tgz:
    resolution: {integrity: ${INTEGRITY}, tarball: https://files.example/from-url-1.0.0.tgz}
    version: 1.0.0

snapshots:

  a@1.0.0: {}
`;

/** As pnpm 11 writes it: its own tools come first, in a document of their own. */
const pnpm9Documents = `---
lockfileVersion: '9.0'

importers: {}

packages:

  '0@1.0.0':
    resolution: {integrity: ${INTEGRITY}}

---
${pnpm9.replace(/\n {2}'0@1\.0\.0':\n.*\n/, '\n')}`;

const classicTarball = (name: string, version: string) =>
  `${tarball(name, version)}#0123456789abcdef0123456789abcdef01234567`;

const yarnClassic = `# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.
# yarn lockfile v1


"0@^1.0.0":
  version "1.0.0"
  resolved "${classicTarball('0', '1.0.0')}"
  integrity ${INTEGRITY}

"@a/b@^2.0.0", "@a/b@~2.0.0":
  version "2.0.0"
  resolved "${classicTarball('@a/b', '2.0.0')}"
  integrity ${INTEGRITY}
  dependencies:
    "0" "^1.0.0"
    a "^1.0.0"

"@me/alias@npm:socket.io@4":
  version "4.0.0"
  resolved "${classicTarball('socket.io', '4.0.0')}"

JSONStream@^1.0.3, "JSONStream@>=1.0.0 <2":
  version "1.3.5"
  resolved "${classicTarball('JSONStream', '1.3.5')}"

a@^1.0.0:
  version "1.0.0"
  resolved "${classicTarball('a', '1.0.0')}"
  optionalDependencies:
    lodash.merge "^4.0.0"

"from-file@file:../from-file":
  version "1.0.0"

"from-git@${GIT}":
  version "1.0.0"
  resolved "${GIT}"

from-github@some/from-github:
  version "1.0.0"
  resolved "https://codeload.example/some/from-github/tar.gz/0123456"

"from-tarball@file:./from-tarball-1.0.0.tgz":
  version "1.0.0"
  resolved "file:./from-tarball-1.0.0.tgz#0123456"

"from-url@https://files.example/from-url-1.0.0.tgz":
  version "1.0.0"
  resolved "https://files.example/from-url-1.0.0.tgz#0123456"

lodash.merge@^4.0.0:
  version "4.6.2"
  resolved "${classicTarball('lodash.merge', '4.6.2')}"

"my-alias@npm:jquery":
  version "3.0.0"
  resolved "${classicTarball('jquery', '3.0.0')}"

replaced@^1.0.0, "replaced@npm:a@1.0.0":
  version "1.0.0"
  resolved "${classicTarball('a', '1.0.0')}"
`;

const berryEntry = (key: string, resolution: string, link = 'hard') => `"${key}":
  version: 1.0.0
  resolution: "${resolution}"
  dependencies:
    a: "npm:^1.0.0"
  checksum: 10c0/0123456789abcdef
  languageName: node
  linkType: ${link}
`;

const yarnBerry = [
  `# This file is generated by running "yarn install" inside your project.
# Manual changes might be lost - proceed with caution!

__metadata:
  version: 8
  cacheKey: 10c0
`,
  berryEntry('0@npm:^1.0.0', '0@npm:1.0.0'),
  berryEntry('@a/b@npm:^2.0.0, @a/b@npm:~2.0.0', '@a/b@npm:2.0.0'),
  berryEntry('@me/alias@npm:socket.io@4', 'socket.io@npm:4.0.0'),
  berryEntry(
    'JSONStream@npm:^1.0.3',
    `JSONStream@npm:1.3.5::__archiveUrl=${encodeURIComponent(tarball('JSONStream', '1.3.5'))}`,
  ),
  berryEntry('a@npm:^1.0.0', 'a@npm:1.0.0'),
  berryEntry('from-exec@exec:./make.js', 'from-exec@exec:./make.js#./make.js::hash=0123&locator=root%40workspace%3A.'),
  berryEntry(
    'from-file@file:../from-file::locator=root%40workspace%3A.',
    'from-file@file:../from-file#../from-file::hash=0123&locator=root%40workspace%3A.',
  ),
  berryEntry('from-git@git@git.example:some/from-git.git', 'from-git@git@git.example:some/from-git.git#commit=0123456'),
  berryEntry(
    'from-link@link:../linked::locator=root%40workspace%3A.',
    'from-link@link:../linked::locator=root%40workspace%3A.',
    'soft',
  ),
  berryEntry(
    'from-portal@portal:../linked::locator=root%40workspace%3A.',
    'from-portal@portal:../linked::locator=root%40workspace%3A.',
    'soft',
  ),
  berryEntry('from-url@https://files.example/from-url-1.0.0.tgz', 'from-url@https://files.example/from-url-1.0.0.tgz'),
  berryEntry(
    'lodash.merge@patch:lodash.merge@npm%3A4.6.2#./my.patch::locator=root%40workspace%3A.',
    'lodash.merge@patch:lodash.merge@npm%3A4.6.2#./my.patch::version=4.6.2&hash=0123&locator=root%40workspace%3A.',
  ),
  berryEntry('my-alias@npm:jquery@^3.0.0', 'jquery@npm:3.0.0'),
  berryEntry('my-helper@workspace:*, my-helper@workspace:tools/helper', 'my-helper@workspace:tools/helper', 'soft'),
  berryEntry('root@workspace:.', 'root@workspace:.', 'soft'),
].join('\n');

const bunText = `{
  "lockfileVersion": 1,
  "workspaces": {
    "": {
      "name": "root",
      "dependencies": {
        "a": "^1.0.0",
        "my-alias": "npm:jquery",
      },
    },
    "tools/helper": {
      "name": "my-helper",
    },
  },
  "patchedDependencies": {
    "lodash.merge@4.6.2": "patches/lodash.merge@4.6.2.patch",
  },
  "overrides": {
    "once": "npm:a@1.0.0",
  },
  "packages": {
    "0": ["0@1.0.0", "", {}, "${INTEGRITY}"],

    "@a/b": ["@a/b@2.0.0-rc.1", "", { "dependencies": { "0": "^1.0.0" }, "bin": { "b": "./b,]}.js" } }, "${INTEGRITY}"],

    "@me/alias": ["socket.io@4.0.0", "${tarball('socket.io', '4.0.0')}", {}, "${INTEGRITY}"],

    "JSONStream": ["JSONStream@1.3.5", "", {}, "${INTEGRITY}"],

    "a": ["a@1.0.0", "", { "os": "none" }, "${INTEGRITY}"],

    "from-file": ["from-file@file:../from-file", { "dependencies": { "a": "1" } }],

    "from-git": ["from-git@git+ssh://git@git.example/some/from-git.git#0123456", {}, "0123456"],

    "from-github": ["from-github@github:some/from-github#0123456", {}, "some-from-github-0123456"],

    "from-link": ["from-link@link:from-link", {}],

    "from-tarball": ["from-tarball@1.0.0.tgz", {}],

    "from-url": ["from-url@https://files.example/from-url-1.0.0.tgz", {}],

    "lodash.merge": ["lodash.merge@4.6.2", "", {}, "${INTEGRITY}"],

    "my-alias": ["jquery@3.0.0", "", {}, "${INTEGRITY}"],

    "my-helper": ["my-helper@workspace:tools/helper"],

    "@a/b/a": ["a@0.9.0", "", {}, "${INTEGRITY}"],
  }
}
`;

export const LOCKFILES: readonly LockfileCase[] = [
  {
    title: 'npm, version 1',
    file: 'package-lock.json',
    text: json({ name: 'root', lockfileVersion: 1, requires: true, dependencies: tree }),
    names: NAMES,
  },
  {
    title: 'npm, version 2',
    file: 'package-lock.json',
    text: json({ name: 'root', lockfileVersion: 2, packages, dependencies: tree }),
    names: NAMES,
  },
  {
    title: 'npm, version 3',
    file: 'npm-shrinkwrap.json',
    text: json({ name: 'root', lockfileVersion: 3, packages }),
    names: NAMES,
  },
  {
    title: 'npm, version 3, with a tarball from elsewhere',
    file: 'package-lock.json',
    text: json({ name: 'root', lockfileVersion: 3, packages: fromUrl }),
    names: ['a'],
  },
  { title: 'pnpm, version 5.4', file: 'pnpm-lock.yaml', text: pnpm5, names: NAMES },
  { title: 'pnpm, version 6.0', file: 'pnpm-lock.yaml', text: pnpm6, names: NAMES },
  { title: 'pnpm, version 6.0, with a tarball file', file: 'pnpm-lock.yaml', text: pnpm6Tarball, names: ['a'] },
  { title: 'pnpm, version 9.0', file: 'pnpm-lock.yaml', text: pnpm9, names: NAMES },
  { title: 'pnpm, version 9.0 in two documents', file: 'pnpm-lock.yaml', text: pnpm9Documents, names: NAMES },
  { title: 'yarn 1', file: 'yarn.lock', text: yarnClassic, names: NAMES },
  { title: 'yarn 2 and later', file: 'yarn.lock', text: yarnBerry, names: NAMES },
  { title: 'bun', file: 'bun.lock', text: bunText, names: NAMES },
];
