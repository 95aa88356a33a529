//go:build race

package producer_test

// raceDetector says that this build is a slow one.
const raceDetector = true
