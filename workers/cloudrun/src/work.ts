import { type Answer, type AnswerRequest, jsonAnswer } from '@_all_docs/registry';
import { assertWorkItem, type Logger, messageOf, type WorkItem, type WorkResult } from '@_all_docs/worker';
import type { Refusal } from './oidc.js';

export interface WorkOptions {
  /** Who may push; nobody unless told. */
  check: ((authorization: string | undefined) => Promise<Refusal | undefined>) | undefined;
  process(item: WorkItem): Promise<WorkResult>;
  logger?: Logger | undefined;
}

/**
 * `POST /work`: one item of work, as Cloud Tasks sends it (the item itself) or as Pub/Sub does (its `message.data`). 200
 * when it is done; 500 when it failed, so that the queue sends it again; 400 for what is no item, 401 and 403 for who may
 * not push.
 */
export async function answerWork(request: AnswerRequest, options: WorkOptions): Promise<Answer> {
  const refusal = await refused(request, options);
  if (refusal) return jsonAnswer(refusal.status, { error: refusal.error });
  let item: WorkItem;
  try {
    item = itemOf(await bodyOf(request));
  } catch (error) {
    options.logger?.warn?.('what was pushed is no work item', { error: messageOf(error) });
    return jsonAnswer(400, { error: messageOf(error) });
  }
  const result = await options.process(item);
  if (result.success) return jsonAnswer(200, result);
  options.logger?.warn?.('work failed', { type: item.type, id: item.id, error: result.error });
  return jsonAnswer(result.code === 'ERR_BAD_WORK_ITEM' ? 400 : 500, result);
}

async function refused({ headers }: AnswerRequest, { check, logger }: WorkOptions): Promise<Refusal | undefined> {
  if (!check) {
    return {
      status: 403,
      error: 'this service takes no work: set WORK_SERVICE_ACCOUNT and WORK_AUDIENCE to say from whom',
    };
  }
  try {
    return await check(headers.get('authorization') ?? undefined);
  } catch (error) {
    logger?.error?.('a token cannot be checked', { error: messageOf(error) });
    return { status: 401, error: 'the token cannot be checked now; push again' };
  }
}

/** The work item in a body: itself, or in an envelope of Pub/Sub's. Throws for anything else. */
function itemOf(text: string): WorkItem {
  const value = JSON.parse(text) as { message?: { data?: unknown; messageId?: unknown } } & Partial<WorkItem>;
  const data = value?.message?.data;
  const item =
    typeof data === 'string' ? (JSON.parse(Buffer.from(data, 'base64').toString()) as Partial<WorkItem>) : value;
  const { type, id, payload = {}, priority = 1, attempts = 0 } = item ?? {};
  const whole = { type, id: id ?? value?.message?.messageId, payload, priority, attempts } as WorkItem;
  assertWorkItem(whole);
  return whole;
}

async function bodyOf({ body }: AnswerRequest): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
