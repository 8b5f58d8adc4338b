/**
 * An image's root file system, made by its Dockerfile's own steps without a container engine, and a process in it: its user,
 * its variables, its command, on a root that cannot be written to. Needs root, for mounts.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface Instruction {
  name: string;
  text: string;
}

export interface Image {
  root: string;
  workdir: string;
  user: string;
  env: Record<string, string>;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

/** Why no image can be made and run here; `undefined` when one can. */
export function whyNoImage(): string | undefined {
  if (process.platform !== 'linux') return 'images are made on Linux only';
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'there is no right to mount anything: an image is run on a read-only root by root only';
  }
}

/**
 * Runs the stages of a Dockerfile. `RUN` works in a copy of the context on this machine, whose Node has the part of the
 * base image; the last stage copies, and runs what is in it. Its base, Node and the libraries that it needs, is taken from this machine.
 */
export function buildImage(dockerfile: string, context: string): Image {
  const stages = stagesOf(readFileSync(dockerfile, 'utf8'));
  const places = new Map<string, string>();
  const last = stages.at(-1) as Stage;
  for (const stage of stages.slice(0, -1)) places.set(stage.name, runStage(stage, context));
  const root = mkdtempSync(join(tmpdir(), 'all-docs-image-'));
  chmodSync(root, 0o755);
  layBase(root);
  const image: Image = { root, workdir: '/', user: '0:0', env: {}, entrypoint: [], command: [], healthcheck: [] };
  for (const { name, text } of last.instructions) apply(image, name, text, places);
  for (const place of places.values()) rmSync(place, { recursive: true, force: true });
  return image;
}

export function removeImage({ root }: Image): void {
  rmSync(root, { recursive: true, force: true });
}

/** Starts a command in the image: its own unless told, as its user, with a `/tmp` of its own and nothing else to write to. */
export function runImage(
  image: Image,
  env: Record<string, string>,
  command = [...image.entrypoint, ...image.command],
): ChildProcess {
  return spawn('unshare', entering(image, env, command), { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The arguments of `unshare` for a command in the image. */
function entering(
  { root, user, workdir, ...image }: Image,
  env: Record<string, string>,
  command: string[],
  mode = 'ro',
) {
  const script = [
    'set -e',
    'mount --make-rprivate /',
    `mount --bind ${root} ${root}`,
    `mount -t proc proc ${root}/proc`,
    ...['null', 'urandom', 'random'].map((device) => `mount --bind /dev/${device} ${root}/dev/${device}`),
    `mount -t tmpfs -o mode=1777 tmpfs ${root}/tmp`,
    `mount -o remount,bind,${mode} ${root}`,
    // A process of the image's own: signals reach it, and nothing stands between.
    `exec chroot --userspec=${user} ${root} /usr/bin/env -i "$@"`,
  ].join('\n');
  const variables = Object.entries({ PATH: '/nodejs/bin:/usr/bin', ...image.env, ...env }).map(
    ([name, value]) => `${name}=${value}`,
  );
  return ['--mount', 'sh', '-c', script, 'sh', '-C', workdir, ...variables, ...command];
}

interface Stage {
  name: string;
  instructions: Instruction[];
}

function stagesOf(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
    const [, name = '', rest = ''] = /^\s*([A-Z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (name === 'FROM')
      stages.push({ name: / AS (\S+)$/i.exec(rest)?.[1] ?? String(stages.length), instructions: [] });
    else if (name !== '') stages.at(-1)?.instructions.push({ name, text: rest });
  }
  return stages;
}

/** A stage that has a shell, in a directory that stands for its root. */
function runStage({ instructions }: Stage, context: string): string {
  const root = mkdtempSync(join(tmpdir(), 'all-docs-stage-'));
  let workdir = '/';
  for (const { name, text } of instructions) {
    if (name === 'WORKDIR') {
      workdir = text;
      mkdirSync(join(root, workdir), { recursive: true });
    } else if (name === 'COPY' && text === '. .') {
      // What is ignored by git is by Docker, too.
      const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
        cwd: context,
        encoding: 'utf8',
      });
      for (const file of files.split('\0')) {
        if (file === '' || file.startsWith('test/') || !existsSync(join(context, file))) continue;
        mkdirSync(dirname(join(root, workdir, file)), { recursive: true });
        cpSync(join(context, file), join(root, workdir, file));
      }
    } else if (name === 'RUN') {
      // Absolute paths of the stage are below its root here.
      const command = text.replaceAll(/(^|[\s=:])(\/(?:src|app)\b)/g, (_, before, path) => `${before}${root}${path}`);
      execFileSync('sh', ['-c', command], {
        cwd: join(root, workdir),
        stdio: ['ignore', 'ignore', 'inherit'],
        env: withThisNode(),
      });
    } else throw new Error(`this Dockerfile's build stage has a step that nobody does here: ${name} ${text}`);
  }
  return root;
}

/** A step of the last stage, which has no shell: as its user, who may write to what is his. */
function runInRoot(image: Image, command: string[]): void {
  execFileSync('unshare', entering(image, {}, command, 'rw'), { stdio: ['ignore', 'ignore', 'inherit'] });
}

function withThisNode(): NodeJS.ProcessEnv {
  return { ...process.env, CI: '1', PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
}

function apply(image: Image, name: string, text: string, places: ReadonlyMap<string, string>): void {
  const list = () => JSON.parse(text.slice(text.indexOf('['))) as string[];
  if (name === 'WORKDIR') {
    image.workdir = text;
    mkdirSync(join(image.root, text), { recursive: true });
  } else if (name === 'COPY') {
    const [, owner, stage = '', from = '', to = ''] = /^(?:--chown=(\S+) )?--from=(\S+) (\S+) (\S+)$/.exec(text) ?? [];
    const place = places.get(stage);
    if (place === undefined) throw new Error(`no stage to copy from: ${text}`);
    cpSync(join(place, from), join(image.root, to), { recursive: true, verbatimSymlinks: true });
    if (owner !== undefined) execFileSync('chown', ['-R', '-h', owner, join(image.root, to)]);
  } else if (name === 'RUN') {
    runInRoot(image, list());
  } else if (name === 'ENV') {
    const [, variable = '', value = ''] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    image.env[variable] = value;
  } else if (name === 'USER') image.user = text;
  else if (name === 'ENTRYPOINT') image.entrypoint = list();
  else if (name === 'CMD') image.command = list();
  else if (name === 'HEALTHCHECK') image.healthcheck = list();
  else if (name !== 'EXPOSE') throw new Error(`the last stage has a step that nobody does here: ${name} ${text}`);
}

/** What comes with glibc in the distroless image, beside the libraries that Node itself is linked with; native packages may be. */
const GLIBC = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2', 'librt.so.1', 'libutil.so.1'];

/** Node at its place in the distroless image, its libraries, certificates and the user; and `env`, by which a process gets its variables here. */
function layBase(root: string): void {
  for (const folder of ['app', 'dev', 'etc', 'nodejs/bin', 'proc', 'tmp', 'usr/bin'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const device of ['null', 'urandom', 'random']) writeFileSync(join(root, 'dev', device), '');
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  );
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  copyFileSync(process.execPath, join(root, 'nodejs/bin/node'));
  copyFileSync('/usr/bin/env', join(root, 'usr/bin/env'));
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(certificates)) cpSync(certificates, join(root, certificates), { recursive: true });
  for (const program of [process.execPath, '/usr/bin/env']) {
    const said = execFileSync('ldd', [program], { encoding: 'utf8' });
    const linked = Array.from(said.matchAll(/(\/[^\s)]+)/g), ([, path = '']) => path).filter((p) => p.includes('.so'));
    const glibc = linked
      .filter((path) => path.endsWith('/libc.so.6'))
      .flatMap((path) => GLIBC.map((name) => join(dirname(path), name)));
    for (const library of [...linked, ...glibc]) {
      if (!existsSync(library)) continue;
      mkdirSync(dirname(join(root, library)), { recursive: true });
      copyFileSync(library, join(root, library));
    }
  }
}
