# The files of the microscope's page as C++: page.html, style.css and the scripts, in the order in
# which they run.
set(HEED_PAGE_FILES "")
foreach(name page.html style.css
             numbers.js trace.js ops.js ops_products.js ops_recurrent.js replay.js attention.js
             layout.js dom.js state.js texts_en.js texts_zh.js math.js tensor_view.js explain.js
             reasons.js card.js jacobian.js tensor_card.js graph.js edges.js boxes.js heatmap.js
             alignment.js flow.js edit.js compare.js beam.js lessons.js bar.js
             search.js panes.js main.js)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS microscope/page/${name})
  file(READ microscope/page/${name} text)
  # Indentation and comments are for those who read the files.
  string(REGEX REPLACE "\n +" "\n" text "\n${text}")
  string(REGEX REPLACE "\n//[^\n]*" "" text "${text}")
  string(APPEND HEED_PAGE_FILES "      {\"${name}\", R\"page(${text})page\"},\n")
endforeach()
configure_file(microscope/page_files.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/microscope_page.cpp @ONLY)
