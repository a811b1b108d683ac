// Pack writes what is on a device, as package corpus keeps it, to standard
// output.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"bootswain/internal/corpus"
)

func main() {
	made := flag.String("made", "", "how it was made")
	wipefs := flag.String("wipefs", "", "what wipefs --json --no-act says of it")
	flag.Parse()
	if err := pack(flag.Arg(0), *made, *wipefs); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(file, made, wipefs string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	d := corpus.Device{Size: info.Size(), Made: made, Wipefs: json.RawMessage(wipefs)}
	return d.Pack(os.Stdout, f)
}
