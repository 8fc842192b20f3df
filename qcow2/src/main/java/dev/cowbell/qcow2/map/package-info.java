/** Where guest bytes lie in the host files, found out without reading data. */
@NullMarked
package dev.cowbell.qcow2.map;

import org.jspecify.annotations.NullMarked;
