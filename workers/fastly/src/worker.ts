/** @module The worker that `fastly compute publish` puts in place. */
import './platform.js';
import { enforceExplicitBackends } from 'fastly:backend';
import { handle } from './handler.js';
import { warmUp } from './warm-up.js';

// No request goes out but through a backend that was chosen for it.
enforceExplicitBackends();

addEventListener('fetch', (event) => {
  const answer = handle(event.request, (promise) => event.waitUntil(promise));
  // The host wants to hear of what goes on behind an answer before anything is awaited.
  event.waitUntil(answer);
  event.respondWith(answer);
});

warmUp();
