/**
 * Counts a run for .ci/run and prints `N passed, N failed`, nothing else.
 * Usage: node .ci/count.mjs <report of vitest> <status of the tests> <status of the checks>
 *
 * The checks together count as one. What kept tests from being counted counts as a failure: a file that could not be
 * loaded, a missing or empty report, or a runner that ended badly though each test passed. Ends with 1 if anything failed.
 */
import { readFileSync } from "node:fs";

const [reportPath, testStatus, checkStatus] = process.argv.slice(2);

/** Passed and failed tests of a report; a file that failed without a failed test is one failure. */
function countTests(report) {
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length };
}

function read(path) {
  try {
    return countTests(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return { passed: 0, failed: 1 };
  }
}

const tests = read(reportPath);
if ((testStatus !== "0" || tests.passed === 0) && tests.failed === 0) tests.failed = 1;
const checksPass = checkStatus === "0";
const passed = tests.passed + (checksPass ? 1 : 0);
const failed = tests.failed + (checksPass ? 0 : 1);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
