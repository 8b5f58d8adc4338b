/**
 * What npm itself says of the signatures that a replica serves: installs from `_all_docs serve` in front of the fake origin
 * (whose manifests bear true ECDSA signatures), then `npm view`, `npm pack` and `npm audit signatures`. And the same in
 * front of an origin whose signatures are noise, which the audit must notice.
 *
 *   node scripts/signatures.ts
 *
 * Exits 1 when a true signature is not accepted, or noise is.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startOrigin } from './bench/_measure.ts';
import { serve } from './clients/command.ts';
import { AUDITING_NPM } from './clients/tools.ts';

const PACKAGES = 4;
const work = mkdtempSync(join(tmpdir(), 'all-docs-signatures-'));
const problems: string[] = [];
try {
  const real = await audit('real');
  if (real.code !== 0 || !/\d+ packages have verified registry signatures/.test(real.said))
    problems.push(`true signatures are not accepted:\n${real.said}`);
  const noise = await audit('noise');
  if (noise.code === 0 || !/EMISSINGSIGNATUREKEY|invalid registry signature/.test(noise.said))
    problems.push(`noise is accepted for a signature:\n${noise.said}`);
  console.log(`real: ${real.said.trim().split('\n').at(-1)}; noise: refused`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

async function audit(signatures: 'real' | 'noise'): Promise<{ code: number; said: string }> {
  const folder = join(work, signatures);
  const project = join(folder, 'project');
  mkdirSync(project, { recursive: true });
  const origin = await startOrigin('--packages', '400', '--tarballs', 'named', '--signatures', signatures);
  const server = await serve(join(folder, 'replica'), '--registry', origin.url);
  try {
    const all = (await (await fetch(`${origin.url}/-/fake/names`)).text()).split('\n');
    const names = all.filter((name) => /^[a-z]{4,}$/.test(name)).slice(0, PACKAGES);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }));
    const npm = (...args: string[]) =>
      run(project, ...args, '--registry', server.url, '--cache', join(folder, 'cache'));
    expectDone(await npm('install', '--ignore-scripts', '--no-audit', '--no-fund', ...names));
    for (const name of names) await checkPack(npm, project, name);
    return await npm('audit', 'signatures');
  } finally {
    await server.stop();
    origin.stop();
  }
}

/** What `npm pack` fetched is what `npm view` says of it. */
async function checkPack(
  npm: (...args: string[]) => ReturnType<typeof run>,
  project: string,
  name: string,
): Promise<void> {
  const { said } = expectDone(await npm('view', name, '--json', 'version', 'dist.integrity'));
  const { version, 'dist.integrity': integrity } = JSON.parse(said) as Record<string, string>;
  expectDone(await npm('pack', name));
  const packed = readFileSync(join(project, `${name}-${version}.tgz`));
  const found = `sha512-${createHash('sha512').update(packed).digest('base64')}`;
  if (found !== integrity) problems.push(`npm pack ${name}: ${found}, not ${integrity}`);
}

async function run(project: string, ...args: string[]): Promise<{ code: number; said: string }> {
  const [command, ...first] = AUDITING_NPM as [string, ...string[]];
  const inherited = Object.entries(process.env).filter(([key]) => !/^npm_|^NODE_OPTIONS$/i.test(key));
  const env = { ...Object.fromEntries(inherited), HOME: project, NO_UPDATE_NOTIFIER: '1' };
  const child = spawn(command, [...first, ...args], { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: Number(code), said: args[0] === 'view' && code === 0 ? out : out + err };
}

function expectDone(result: { code: number; said: string }): { code: number; said: string } {
  if (result.code !== 0) throw new Error(result.said);
  return result;
}
