import { describe, expect, it } from 'vitest';
import { gate, get, start, Wire } from './_server.js';

const LONG = 60_000;
const here = { handle: async () => new Response('here', { headers: { 'content-length': '4' } }) };

describe('a server that was told to end', () => {
  it('takes no new connections, and ends at once when there is none', async () => {
    const { server, url } = await start(here);
    await server.drain(LONG);
    expect(server.state).toBe('draining');
    await expect(fetch(url)).rejects.toThrow();
  });

  it('is not ready any more, still alive, and says so on connections that are open', async () => {
    const asked = gate();
    const more = gate();
    const { server, port } = await start({
      handle: async () => {
        asked.open();
        await more.opened;
        return new Response('whole', { headers: { 'content-length': '5' } });
      },
    });
    const busy = new Wire(port).send(get('/npm/a'));
    await asked.opened;
    const [ready, live] = [new Wire(port), new Wire(port)];
    await Promise.all([ready.send(get('/livez')).until(/ok/), live.send(get('/livez')).until(/ok/)]);
    const drained = server.drain(LONG);
    expect(await ready.send(get('/readyz')).all()).toMatch(/HTTP\/1\.1 503 .*connection: close.*"draining"/is);
    expect(await live.send(get('/livez')).all()).toMatch(/"ok".*HTTP\/1\.1 200 .*connection: close.*"ok"/is);
    more.open();
    expect(await busy.all()).toMatch(/connection: close.*whole$/is);
    await drained;
  });

  it('closes idle connections, also those on which half a request came', async () => {
    const { server, port } = await start(here);
    const idle = new Wire(port).send(get('/npm/a'));
    await idle.until(/here/);
    const half = new Wire(port).send('GET /npm/a HTTP/1.1\r\n');
    await server.drain(LONG);
    expect(await idle.closed).toBe('end');
    expect(await half.all()).toBe('');
  });

  it('ends a stream that is under way, to its last byte', async () => {
    const started = gate();
    const more = gate();
    let n = 0;
    const { server, port } = await start({
      handle: async () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              n += 1;
              if (n === 3) started.open();
              if (n > 3) await more.opened;
              if (n > 10) controller.close();
              else controller.enqueue(Buffer.from(`(${n})`));
            },
          }),
        ),
    });
    const wire = new Wire(port).send(get('/npm/a'));
    await started.opened;
    const drained = server.drain(LONG);
    more.open();
    expect(await wire.all()).toMatch(/\(10\)\r\n0\r\n\r\n$/);
    await drained;
  });

  it('does not cut an answer from memory that the client is slow to take', async () => {
    const size = 50_000_000;
    const { server, port } = await start({
      hot: () => ({ status: 200, headers: ['content-length', String(size)], body: Buffer.alloc(size, 'x') }),
    });
    const wire = new Wire(port);
    wire.socket.pause();
    wire.send(get('/npm/a'));
    while (server.snapshot().hot === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const drained = server.drain(LONG);
    setTimeout(() => wire.socket.resume(), 400);
    const text = await wire.all();
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(size);
    await drained;
  });

  it('fails no request of clients that send one after the other', async () => {
    const { server, port } = await start({
      hot: (_, target) =>
        target === '/npm/hot'
          ? { status: 200, headers: ['content-length', '4'], body: Buffer.from('here') }
          : undefined,
      ...here,
    });
    let answers = 0;
    const client = async (n: number): Promise<number> => {
      const wire = new Wire(port);
      for (let asked = 1; ; asked++) {
        wire.send(get(n % 2 ? '/npm/hot' : '/npm/cold'));
        await wire.untilTimes('here', asked);
        answers += 1;
        if (/connection: close/i.test(wire.text)) return asked;
      }
    };
    const clients = Promise.all(Array.from({ length: 20 }, (_, n) => client(n)));
    while (answers < 200) await new Promise((resolve) => setTimeout(resolve, 1));
    const [asked] = await Promise.all([clients, server.drain(LONG)]);
    expect(asked.reduce((sum, n) => sum + n, 0)).toBe(answers);
  });

  it('cuts what is left after the time limit', async () => {
    const asked = gate();
    const { server, port } = await start({
      handle: () => {
        asked.open();
        return new Promise(() => {});
      },
    });
    const wire = new Wire(port).send(get('/npm/a'));
    await asked.opened;
    await server.drain(100);
    expect(await wire.all()).toBe('');
  });

  it('told twice, ends once', async () => {
    const { server } = await start(here);
    const first = server.drain(LONG);
    expect(server.drain(0)).toBe(first);
    await first;
  });
});
