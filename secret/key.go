// Package secret knows where a volume's key comes from: sealed in the launch
// data or in the volume's own header, or random. Keys live in memory only, are
// zeroed after use and cannot print themselves.
package secret
