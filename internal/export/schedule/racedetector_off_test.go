//go:build !race

package schedule_test

// raceDetector tells whether everything takes several times as long.
const raceDetector = false
