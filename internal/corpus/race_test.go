//go:build race

package corpus

// raceDetector says that this build is a slow one.
const raceDetector = true
