/** Whether an `Authorization` header bears the secret. How long that takes tells nothing of how much of it was right. */
export async function isAuthorized(header: string | null, secret: string): Promise<boolean> {
  const [, token = ''] = /^Bearer (.+)$/i.exec(header ?? '') ?? [];
  const [given, wanted] = await Promise.all([digest(token), digest(secret)]);
  return crypto.subtle.timingSafeEqual(given, wanted);
}

function digest(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
}
