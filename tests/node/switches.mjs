// The command line of every Chromium of the tests.

/** Playwright's own list is replaced by this one, so what it is there for stands here, too. */
const FEATURES_OFF = [
  // The list below the address bar is a page of its own, of which two are started with each window: half of the processor time that a browser takes to start.
  'WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup',
  // What would ask the network, or change addresses.
  'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable', 'MediaRouter', 'OptimizationHints', 'NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch',
  // What Playwright cannot drive.
  'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'PaintHolding', 'ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect',
];

export const SWITCHES = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', `--disable-features=${FEATURES_OFF}`,
];
