//go:build !race

package export_test

// raceDetector tells whether everything takes several times as long.
const raceDetector = false
