const sleepers: (() => void)[] = [];

/** Timers of a hidden page may run once a minute; those of the ticker do not. */
export const lookAgain = (): void => sleepers.splice(0).forEach((wake) => wake());

/** Looks again and again, until it holds or is late: `deadline` by the wall clock, ms. */
export async function until(holds: () => unknown, deadline: number): Promise<void> {
  while (!holds() && Date.now() < deadline) {
    await new Promise<void>((resolve) => {
      sleepers.push(resolve);
      setTimeout(resolve, 50);
    });
  }
}
