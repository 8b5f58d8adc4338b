/** The vocabulary of names and prose. */

export const WORDS = `
abstract access action adapter admin agent alert align angular animate api app archive array assert asset async atom
audio auth auto avatar aws azure babel badge base batch bean bear beta binary bird bit blob block blog bold bolt book boot
bot bound box branch bridge browser brush bucket buffer build bundle button byte cache calendar call camel canvas card
cart case cat cell chain chart chat check chunk circle class clean cli click client clock clone cloud cluster code color
column combo command comment commit common compare compile component compose config connect console content context
control convert cookie copy core count crawl create cron crypto css csv cube curl cursor custom cycle daemon dark dash
data date debug decode deep default delay delta demo deploy design detect device dialog diff digest direct disk dispatch
docker document dom domain dot down draft drag draw drive drop dummy dump easy echo edge edit editor egg electron element
email emit emoji empty encode engine entity entry env error escape event exact exec export express extend extra factory
fade fake fast feed fetch fiber field file filter find fire fix flag flash flat flex flow flux focus fold font force
fork form format forward frame free front fs full func game gate gem generator geo get git glob global go graph gravity
green grid group grunt guard gulp handle hash head heap helper hex hidden hook host hot html http hub icon id image
import index info init inject inline input insert install int iron item iter job join js json jump just kafka key kit
koa label lambda lang layer layout lazy leaf left level lib light line link lint list live load local lock log logic
login long loop lru mail make map mark markdown mask match math matrix media memo menu merge mesh message meta metric
micro mini mix mock model module mongo monitor moon mount mouse move multi mutex name native net next node noise notify
now number object observe offset on open option order output pack page panel parse parser partial pass patch path
pattern peer pick pipe pixel plan player plugin point pool popup port post prefix preset print process profile progress
promise proof prop proxy pub pull pulse pump push query queue quick quote radio random range rate ratio raw react read
ready real record red redis reduce redux ref regex relay remote render repeat replace report request require reset
resolve rest result retry right ring robot role rollup root route router row rule run safe sass scale scan schema scope
screen script scroll search seed select send sequence server session set shadow share sharp shell shift shop side signal
simple single size slack slice slide slim slot slug smart snap socket sort source space spark spec spin split sprite sql
stack stage star start state static step store stream string strip style sub suite super svelte svg swap switch symbol
sync system tab table tag tail task template term test text theme thread throttle tick time tiny tip title toast toggle
token tool top trace track trait transform tree trim tube tunnel turbo type ui unit update upload url use user util uuid
valid value vector vendor version video view virtual visit vite vue wait walk watch wave web webpack widget window wire
with word work worker wrap write xml yaml zero zip zone`
  .trim()
  .split(/\s+/);

/** Scopes that a registry of any size has, biggest first. */
export const BIG_SCOPES = `types aws-sdk babel storybook angular mui react-native fluentui octokit vue ionic sentry
tiptap ckeditor firebase graphql-tools radix-ui swc esbuild rollup`
  .trim()
  .split(/\s+/);

const ONSETS = 'b br c ch d dr f fl g gr h j k kl l m n p pl qu r s sk st t tr v w x z'.split(' ');
const VOWELS = 'a e i o u ai ee io ou y'.split(' ');
const CODAS = ['', '', '', 'n', 'r', 'x', 's', 'l', 'm', 'k'];

/** A made-up word of one to four syllables; the space is large enough for millions of names. */
export function inventWord(next: () => number): string {
  const syllables = 2 + Math.floor(next() * 2.3);
  let word = '';
  for (let i = 0; i < syllables; i++)
    word += pick(ONSETS, next) + pick(VOWELS, next) + (next() < 0.3 ? pick(CODAS, next) : '');
  return word;
}

/** One element of a non-empty list. */
export function pick<T>(list: readonly T[], next: () => number): T {
  return list[Math.floor(next() * list.length)] as T;
}
