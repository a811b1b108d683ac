package launch

import "fmt"

// Text is a text of the user-data that is somebody else's: a script, or the
// cloud-config around our key.
type Text struct {
	Name string // "part 2 (text/x-shellscript)"; "" is the user-data itself
	Text []byte // at the lines and columns that it has there; what is ours is blanked
}

// Beside returns the texts that stand beside the bootswain document in the
// user-data, with an error those before what is damaged.
func Beside(userData []byte) ([]Text, error) {
	u := unwrapper{left: maxUnwrapped, looking: true}
	if err := u.unwrap(userData, 0); err != nil {
		return u.beside, fmt.Errorf("cannot unwrap the user-data: %w", err)
	}
	return u.beside, nil
}

// others notes a text of others', if that is what is looked for.
func (u *unwrapper) others(text []byte) {
	if u.looking {
		u.beside = append(u.beside, Text{u.name, text})
	}
}
