/** How strongly requests are proven, the strongest last: not at all, by a key of the TLS connection, or each by the SVID's own key. */
export type Mode = 'off' | 'channel' | 'signed';
