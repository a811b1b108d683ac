// Package image knows what a machine image must hold and what must not be in
// it. Prepare makes a machine ready to become one, Check finds what would be
// given away with it.
//
// An image holds one secret at most, its own age identity, and nothing of any
// person or of the machine that it was made on. Check only reads, follows no
// symbolic link, holds no file in memory as a whole, and never returns a secret:
// a Finding says where it is and of what kind. Sizes are bytes. What cannot be
// read is an error, never taken for clean.
package image

import "fmt"

// Finding is one thing that must not be in an image.
type Finding struct {
	Path string `json:"path"`           // in the image, "/root/.bash_history"
	Line int    `json:"line,omitempty"` // from 1; 0 is the file as a whole
	What string `json:"what"`
	Own  bool   `json:"own,omitempty"` // the image's own identity, which belongs in an image that is not public
}

func (f Finding) String() string {
	if f.Line == 0 {
		return f.Path + ": " + f.What
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.What)
}
