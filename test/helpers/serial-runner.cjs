const { default: TestRunner } = require('jest-runner');

/** Runs its tests one after the other, while no others run. */
module.exports = class SerialRunner extends TestRunner {
  isSerial = true;
};
