// Package retry decides when a failed call is made again and how fast calls may follow each other.
//
// It owns back-off and pacing. It must never decide whether a failure is worth repeating: that is the class that an
// adapter gives its errors. It knows no service.
package retry
