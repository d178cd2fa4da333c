/** Looks again and again, until it holds or is late. */
export async function until(holds: () => unknown, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
}
